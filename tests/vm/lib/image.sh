# shellcheck shell=bash
# image.sh - the second layer: tree + kernel + guest/ become root.ext4, vmlinuz and initrd. No loop device and no mount
# is needed: mke2fs -d fills the file system from a directory.

image_key() {
  {
    tree_key
    echo "$VM_KERNEL"
    [ ! -f "$VM_KERNEL" ] || cat "$VM_KERNEL"
    cat "$here/lib/image.sh" "$here"/guest/*
  } | digest
}

# build_image DIR
build_image() {
  local out=$1.tmp root=$1.tmp/root release
  [ "$(id -u)" = 0 ] || die 77 "building the guest needs root (running it does not)"
  need_commands cpio:cpio dpkg-deb:dpkg
  mkdir -p "$root" "$out/kernel"
  fetch_kernel "$out/kernel" "$out/apt"
  say "making the image with $(basename "$out"/kernel/*.deb)"
  tar -C "$root" -xf "$tree/root.tar" --xattrs --xattrs-include='*'
  # Not dpkg-deb -x: it would replace the merged-/usr symlink /lib by a directory.
  dpkg-deb --fsys-tarfile "$out"/kernel/*.deb | tar -C "$root" -x --keep-directory-symlink
  release=$(basename "$root"/boot/vmlinuz-*)
  release=${release#vmlinuz-}
  mv "$root/boot/vmlinuz-$release" "$out/vmlinuz"
  chroot "$root" depmod "$release"
  furnish "$root"
  make_initrd "$root" "$release" "$out/initrd.d" "$out/initrd"
  rm -rf "${root:?}"/{boot,var/cache/apt,var/lib/apt/lists}/*
  mke2fs -q -t ext4 -m 0 -O ^has_journal -d "$root" "$out/root.ext4" 4G >/dev/null
  rm -rf "$root" "$out"/{kernel,apt,initrd.d}
  mv "$out" "$1"
}

# fetch_kernel DIR APT: put the kernel's .deb into DIR, checked by apt against the archive's signature. It is an apt of
# its own, in the directory APT, with nothing of the host's but the proxy, so that any suite will do and the host's
# package lists stay as they are.
fetch_kernel() {
  local dir=$1 apt=$2 package=${VM_KERNEL%/*} suite=${VM_KERNEL#*/} next
  if [ -f "$VM_KERNEL" ]; then
    cp "$VM_KERNEL" "$dir/"
    return
  fi
  [[ $VM_KERNEL != *.deb ]] || die 2 "VM_KERNEL=$VM_KERNEL: no such file"
  find_mirrors
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial}
  : >"$apt/status"
  {
    echo "Dir::Etc::main \"/dev/null\"; Dir::Etc::parts \"/dev/null\"; Dir::Etc::sourceparts \"/dev/null\";"
    echo "Dir::Etc::sourcelist \"$apt/sources\"; Dir::State \"$apt/state\"; Dir::State::status \"$apt/status\";"
    echo "Dir::Cache \"$apt/cache\"; APT::Architecture \"amd64\"; APT::Sandbox::User \"root\";"
    echo "Acquire::Languages \"none\";"
    apt_settings
  } >"$apt/conf"
  if [ "$suite" = "$VM_KERNEL" ]; then
    { suite_sources "$VM_SUITE" && suite_sources "$VM_SUITE-security"; } >"$apt/sources"
  else
    suite_sources "$suite" >"$apt/sources"
  fi
  APT_CONFIG=$apt/conf apt-get -qq update || die 125 "no package index to be had"
  # linux-image-cloud-amd64 is empty and depends on linux-image-6.1.0-NN-cloud-amd64.
  while next=$(APT_CONFIG=$apt/conf apt-cache show --no-all-versions "$package" |
    sed -n 's/^Depends:.*\(linux-image-[^ ,]*\).*/\1/p') && [ -n "$next" ]; do package=$next; done
  (cd "$dir" && APT_CONFIG=$apt/conf apt-get -qq download "$package") || die 125 "no kernel package $package to be had"
}

# furnish ROOT: make the plain Debian tree our guest.
furnish() {
  local root=$1 units=$1/etc/systemd/system
  echo vm >"$root/etc/hostname"
  echo 127.0.0.1 localhost vm >"$root/etc/hosts"
  : >"$root/etc/fstab"
  # A fixed machine id: systemd would write a fresh one at each cold boot.
  echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
  # Debian's profiles for its own programs are no use here; loading them takes seconds of emulated CPU.
  find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
  rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" # the host's proxy
  chroot "$root" passwd -qd root
  chroot "$root" useradd -m -s /bin/bash test
  grep -q ^test: "$root/etc/subuid" || echo test:100000:65536 >>"$root/etc/subuid"
  grep -q ^test: "$root/etc/subgid" || echo test:100000:65536 >>"$root/etc/subgid"
  mkdir -p "$root"/{share,out,var/lib/systemd/linger} "$units"/{user@.service.d,serial-getty@.service.d,multi-user.target.wants}
  chmod 1777 "$root/out"
  touch "$root/var/lib/systemd/linger/test"
  cp "$here/guest/delegate.conf" "$units/user@.service.d/"
  cp "$here/guest/autologin.conf" "$units/serial-getty@.service.d/"
  install -m 755 "$here/guest/vm-agent" "$root/usr/local/sbin/"
  cp "$here/guest/vm-agent.service" "$units/"
  ln -s ../vm-agent.service "$units/multi-user.target.wants/"
  # The clock of a resumed guest jumps, which would set off every timer at once.
  ln -sf /dev/null "$units/timers.target"
}

# make_initrd ROOT RELEASE DIR FILE: Debian's kernels have virtio_blk as a module, so something must load it before
# /dev/vda is there. Ours holds busybox and the few modules that are not built in.
make_initrd() {
  local root=$1 release=$2 dir=$3 file=$4 module
  mkdir -p "$dir"/{bin,dev,modules,proc,root,sys}
  cp "$root/bin/busybox" "$dir/bin/"
  install -m 755 "$here/guest/init" "$dir/init"
  for module in virtio_pci virtio_blk virtio_console ext4 overlay; do
    chroot "$root" modprobe -S "$release" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
    cp "$root$module" "$dir/modules/"
    basename "$module" .xz
  done >"$dir/modules/order"
  find "$dir/modules" -name '*.xz' -exec xz -d {} +
  (cd "$dir" && find . | cpio -o -H newc --quiet) | gzip -1 >"$file"
}
