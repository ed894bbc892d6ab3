package cgroups

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const blkioField = "linux.resources.blockIO"

func blkioAsked(r *specs.LinuxResources) bool {
	b := r.BlockIO
	return b != nil && (givenW(b.Weight) || givenW(b.LeafWeight) || len(b.WeightDevice) > 0 ||
		len(b.ThrottleReadBpsDevice) > 0 || len(b.ThrottleWriteBpsDevice) > 0 ||
		len(b.ThrottleReadIOPSDevice) > 0 || len(b.ThrottleWriteIOPSDevice) > 0)
}

// throttles names the four lists: the field, the version 1 file, the version 2 key.
func throttles(b *specs.LinuxBlockIO) [4]struct {
	field, file, key string
	list             []specs.LinuxThrottleDevice
} {
	return [4]struct {
		field, file, key string
		list             []specs.LinuxThrottleDevice
	}{
		{".throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps", b.ThrottleReadBpsDevice},
		{".throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps", b.ThrottleWriteBpsDevice},
		{".throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops", b.ThrottleReadIOPSDevice},
		{".throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops", b.ThrottleWriteIOPSDevice},
	}
}

// blkioV1 writes the weight files of the CFQ scheduler (gone since Linux 5.0)
// and, where they are not, those of BFQ. BFQ knows no leaf weights.
func blkioV1(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	b := r.BlockIO
	if err := checkBlkio(b); err != nil {
		return nil, err
	}
	var list []Setting
	add := func(field, file, bfq, value string) {
		s := Setting{Controller: "blkio", Field: blkioField + field, File: file, Value: value}
		if bfq != "" {
			s.Else = &Setting{Controller: "blkio", Field: s.Field, File: bfq, Value: value}
		}
		list = append(list, s)
	}
	if givenW(b.Weight) {
		add(".weight", "blkio.weight", "blkio.bfq.weight", utoa(uint64(*b.Weight)))
	}
	if givenW(b.LeafWeight) {
		add(".leafWeight", "blkio.leaf_weight", "", utoa(uint64(*b.LeafWeight)))
	}
	for i, d := range b.WeightDevice {
		field := indexed(".weightDevice", i)
		if givenW(d.Weight) {
			add(field, "blkio.weight_device", "blkio.bfq.weight_device", devNumber(d.LinuxBlockIODevice)+" "+utoa(uint64(*d.Weight)))
		}
		if givenW(d.LeafWeight) {
			add(field, "blkio.leaf_weight_device", "", devNumber(d.LinuxBlockIODevice)+" "+utoa(uint64(*d.LeafWeight)))
		}
	}
	for _, throttle := range throttles(b) {
		for i, d := range throttle.list {
			add(indexed(throttle.field, i), throttle.file, "", devNumber(d.LinuxBlockIODevice)+" "+utoa(d.Rate))
		}
	}
	return list, nil
}

// blkioV2 converts: BFQ keeps the range of the spec (10 to 1000), io.weight has
// 1 to 10000. A rate of zero lifts a limit in version 1, "max" does in version 2.
func blkioV2(r *specs.LinuxResources, _ reader) ([]Setting, error) {
	b := r.BlockIO
	if err := checkBlkio(b); err != nil {
		return nil, err
	}
	if givenW(b.LeafWeight) {
		return nil, onlyV1(blkioField+".leafWeight", "")
	}
	var list []Setting
	add := func(field, who string, weight uint16) {
		list = append(list, Setting{Controller: "io", Field: blkioField + field, File: "io.bfq.weight", Value: who + " " + utoa(uint64(weight)),
			Else: &Setting{Controller: "io", Field: blkioField + field, File: "io.weight", Value: who + " " + utoa(IOWeight(weight))}})
	}
	if givenW(b.Weight) {
		add(".weight", "default", *b.Weight)
	}
	for i, d := range b.WeightDevice {
		if givenW(d.LeafWeight) {
			return nil, onlyV1(blkioField+indexed(".weightDevice", i)+".leafWeight", "")
		}
		if givenW(d.Weight) {
			add(indexed(".weightDevice", i), devNumber(d.LinuxBlockIODevice), *d.Weight)
		}
	}
	for _, throttle := range throttles(b) {
		for i, d := range throttle.list {
			rate := "max"
			if d.Rate > 0 {
				rate = utoa(d.Rate)
			}
			list = append(list, Setting{Controller: "io", Field: blkioField + indexed(throttle.field, i), File: "io.max",
				Value: devNumber(d.LinuxBlockIODevice) + " " + throttle.key + "=" + rate})
		}
	}
	return list, nil
}

// IOWeight maps a blkio weight, 10 to 1000, onto io.weight, 1 to 10000, both ends
// meeting.
func IOWeight(weight uint16) uint64 { return 1 + (uint64(weight)-10)*9999/990 }

// checkBlkio refuses what the files would answer with a bare ERANGE or EINVAL.
func checkBlkio(b *specs.LinuxBlockIO) error {
	weight := func(n *uint16, field string) error {
		if givenW(n) && (*n < 10 || *n > 1000) {
			return refusal(blkioField+field, utoa(uint64(*n)), "is not in the range 10 to 1000")
		}
		return nil
	}
	if err := weight(b.Weight, ".weight"); err != nil {
		return err
	}
	if err := weight(b.LeafWeight, ".leafWeight"); err != nil {
		return err
	}
	for i, d := range b.WeightDevice {
		field := indexed(".weightDevice", i)
		if d.Weight == nil && d.LeafWeight == nil {
			return refusal(blkioField+field, "", "has neither weight nor leafWeight")
		}
		if err := weight(d.Weight, field+".weight"); err != nil {
			return err
		}
		if err := weight(d.LeafWeight, field+".leafWeight"); err != nil {
			return err
		}
	}
	return nil
}

func devNumber(d specs.LinuxBlockIODevice) string {
	return strconv.FormatInt(d.Major, 10) + ":" + strconv.FormatInt(d.Minor, 10)
}
