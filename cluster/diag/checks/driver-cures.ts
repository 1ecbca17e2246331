/** What a driver of NVIDIA's that does not answer asks for. */

import type { SmiProblem } from "../../nvidia/problem.ts";
import { on, steps } from "../cure.ts";

export const LOST = on("sudo reboot", "better: switch it off and on; again: power cable, riser, heat; meanwhile leave that GPU out (gpus: in the file)");

/** What each failure asks for. */
export const CURES: Readonly<Record<SmiProblem, string>> = {
  "not-installed": on("sudo apt install nvidia-driver-590-server", "or your distribution's driver; a container: start it with --gpus all"),
  hung: on("sudo nvidia-bug-report.sh --safe-mode; sudo reboot", "a driver that hangs cannot be reloaded"),
  "driver-not-loaded": on("sudo modprobe nvidia; dkms status; mokutil --sb-state", "build it anew after a new kernel, sign it for Secure Boot"),
  "driver-mismatch": steps(
    on("sudo reboot", "an update replaced the library under the loaded module"),
    on("sudo apt-mark hold 'nvidia-*' 'libnvidia-*'", "that it does not come again"),
  ),
  "container-lost": "restart the container of {host}: `systemctl daemon-reload` on the machine that holds it took the GPUs from it",
  "library-missing": on("sudo apt install --reinstall 'libnvidia-compute-*'", "of the driver's version; a container: the NVIDIA container toolkit"),
  "library-too-old": on("cat /proc/driver/nvidia/version; nvidia-smi --version", "bring the two to one version, then: sudo reboot"),
  "no-devices": on("lspci -k -d 10de:", "nothing: power, slot, riser; else see whether vfio-pci or nouveau has them"),
  "gpu-lost": LOST,
  "inforom-corrupt": "watch it; replace the GPU if ECC is off for it",
  denied: on("ls -l /dev/nvidia*", "give the user the right to them, as a rule by group video or render"),
  "unknown-field": on("nvidia-smi --help-query-gpu"),
  "bad-argument": on("nvidia-smi --version"),
  unsupported: on("nvidia-smi -L"),
  failed: on("nvidia-smi -L"),
};
