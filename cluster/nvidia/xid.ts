/** Events that a GPU reports to the kernel (Xid): what each asks for. NVIDIA's catalogue, "XID Errors"; 167 and 168 have no action there and get the careful one. */

/**
 * none: nothing is broken. restart: end and start the program. watch: fine alone. resetWhenIdle: at the next quiet moment. reset: the GPU is not to be used
 * before it is reset. reboot: neither is the host before it is. hardware: hands are needed. byText: the line itself says.
 */
export type XidAction = "none" | "restart" | "watch" | "resetWhenIdle" | "reset" | "reboot" | "hardware" | "byText";

export type Xid = { readonly name: string; readonly action: XidAction; readonly advice: string };

const xid = (name: string, action: XidAction, advice: string): Xid => ({ name, action, advice });
const RESET = "end its processes, then reset the GPU";
const LINK = "fatal ones: reset the GPU; others: watch; a line with Xid 154 says which";

const XIDS: Readonly<Record<number, Xid>> = {
  8: xid("the GPU stopped for idling too long", "restart", "start the run again; if it comes back on this GPU alone, report it"),
  13: xid("a program did what the GPU cannot", "restart", "mostly the program: CUDA_LAUNCH_BLOCKING=1 shows where; with several programs on one GPU, the GPU"),
  31: xid("a program used memory that is not its own", "restart", "mostly the program; again on this GPU with a program known to be good: the GPU"),
  32: xid("commands reached the GPU damaged", "restart", "again: look at the PCIe connection and the driver"),
  43: xid("a program's work was stopped", "none", "follows an error of the program"),
  45: xid("a program's work was cleaned up", "none", "follows another Xid or a kill"),
  48: xid("two wrong bits in memory", "reset", `${RESET}, then look at gpu.remap`),
  54: xid("the power cable is not connected", "hardware", "switch the host off and connect the GPU's power cable"),
  62: xid("the GPU's power controller stopped", "reset", `${RESET}; again: replace it`),
  63: xid("a row of memory is to be replaced", "resetWhenIdle", "reset the GPU at the next quiet moment to have it replaced"),
  64: xid("a row of memory could not be replaced", "hardware", `${RESET}; if remapped_rows.failure says Yes afterwards, replace the GPU`),
  68: xid("the video decoder failed", "restart", "start the run again"),
  69: xid("a program's commands were not understood", "restart", "compare the CUDA versions of program and driver"),
  74: xid("NVLink failed", "reset", `${RESET}; again: reseat the bridge or replace the board`),
  79: xid("the GPU has fallen off the bus", "reboot", "switch the host off and on; again: power, riser, heat; then replace it"),
  80: xid("data reached the GPU damaged", "restart", "look at the PCIe connection"),
  92: xid("many single wrong bits", "watch", "fine alone; look for 48 and 63"),
  94: xid("wrong memory, of one program only", "restart", "start that run again; reset the GPU when it is idle"),
  95: xid("wrong memory, of any program", "reset", `every run on this GPU is suspect: ${RESET}, then look at gpu.remap`),
  109: xid("a switch between programs took too long", "reset", `${RESET}; again: renew the driver`),
  110: xid("a security fault", "reset", RESET),
  119: xid("the GPU's firmware does not answer", "reset", `${RESET} or reboot; again: renew the driver`),
  120: xid("the GPU's firmware failed", "reset", `${RESET} or reboot; again: renew the driver`),
  121: xid("the link to the CPU corrected an error", "watch", "reset at the next maintenance"),
  136: xid("NVLink could not be set up", "reset", RESET),
  137: xid("NVLink refused an access", "watch", "often follows 31 on another GPU"),
  140: xid("wrong memory that was not recovered", "reset", `${RESET}, then look at gpu.remap`),
  143: xid("the GPU could not be initialised", "reset", `${RESET} or reboot`),
  144: xid("NVLink error (SAW)", "byText", LINK),
  145: xid("NVLink error (RLW)", "byText", LINK),
  146: xid("NVLink error (TLW)", "byText", LINK),
  147: xid("NVLink error (TREX)", "byText", LINK),
  148: xid("NVLink error (NVLPW_CTRL)", "byText", LINK),
  149: xid("NVLink error (NETIR)", "byText", LINK),
  150: xid("NVLink error (MSE)", "byText", LINK),
  151: xid("keys could not be renewed", "reboot", "reboot the host, or the virtual machine"),
  154: xid("another way to recover is needed", "byText", "do what the line says"),
  155: xid("NVLink error", "reset", RESET),
  156: xid("memory is to be retired", "resetWhenIdle", "reset the GPU at the next quiet moment"),
  157: xid("memory could not be retired", "watch", "ask the vendor"),
  158: xid("the GPU did not answer in time", "reset", `${RESET} or reboot`),
  167: xid("PCIe did not answer in time", "reboot", "reboot; again: look at slot and riser"),
  168: xid("the GPU has less memory than it should", "reboot", "reboot the host"),
  171: xid("wrong memory in DRAM", "reset", `${RESET}, then look at gpu.remap`),
  172: xid("wrong memory in SRAM", "reset", `${RESET}; more than 4 in its life: replace it`),
};

export const KNOWN_XIDS: readonly number[] = Object.keys(XIDS).map(Number);

/** An Xid that nobody knows is not taken for harmless. */
export function xidOf(code: number): Xid {
  return XIDS[code] ?? xid("an event that is not in our list", "watch", "look it up in NVIDIA's catalogue of XID errors");
}

/** What must be done, of the code and of the line where the code says that the line knows. */
export function actionOf(code: number, text: string): XidAction {
  const { action } = xidOf(code);
  if (action !== "byText") return action;
  if (code !== 154) return /\bnon-?fatal\b/i.test(text) ? "watch" : "reset";
  const to = /changed from [^(]*\([^)]*\) to [^(]*\(([^)]*)\)/i.exec(text)?.[1]?.toLowerCase() ?? "";
  if (to === "none") return "none";
  if (to.includes("reboot")) return "reboot";
  if (to.includes("drain p2p")) return "resetWhenIdle";
  return "reset";
}

/** Sub-code of an NVLink 5 event (144 to 150): bits 20 to 25 of the first number in parentheses. null: there is none. */
export function linkSubcode(code: number, text: string): number | null {
  if (code < 144 || code > 150) return null;
  const info = /\((0x[0-9a-f]{1,8})\b/i.exec(text)?.[1];
  return info === undefined ? null : Math.floor(Number.parseInt(info, 16) / 2 ** 20) % 64;
}
