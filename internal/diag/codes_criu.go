package diag

// criuCodes are about checkpoint and restore.
var criuCodes = [...]Entry{
	{"criu-missing", "CRIU is not installed",
		"checkpoint and restore have criu do the work, which is in no directory of PATH.",
		"Install the package criu."},
	{"criu-rootless", "checkpoint and restore need root",
		"CRIU reads and writes what only root outside of any user namespace may.",
		"Run the container, and the checkpoint, as root."},
	{"criu-too-old", "CRIU is too old for what was asked",
		"Older versions would ignore what they do not know.",
		"Install a newer CRIU; the message has the version."},
	{"criu-unsupported", "CRIU or the kernel cannot do what was asked",
		"The kernel lacks a feature, such as soft-dirty bits for --pre-dump, or CRIU has no way to restore such a namespace.",
		"Do without the flag or the namespace that the message names; `criu check --all` lists what the kernel lacks."},
	{"criu-silent", "criu does not answer",
		"What is found as criu is something else, or it failed before it could say why.",
		"Run `criu check`."},
	{"criu-failed", "CRIU could not dump or restore the processes",
		"The message has its reasons; the container of a dump goes on as before, that of a restore is gone.",
		"Read the log that the message names. A flag of checkpoint or restore often helps: --tcp-established, --ext-unix-sk, --shell-job, --file-locks."},
	{"criu-images", "a directory of a checkpoint cannot be used",
		"It is missing, cannot be made, or holds no checkpoint that was finished.",
		"Give the --image-path of the checkpoint; --parent-path is relative to it."},
}
