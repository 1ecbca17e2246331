/** The torch of a host in words: a build that cannot use GPUs says so. */

/** Wheels of the CPU index end in "+cpu"; others (conda, aarch64) do not tell, and are not guessed at. */
export const isCpuOnly = (torch: string | null | undefined): boolean => torch?.endsWith("+cpu") ?? false;

export const formatTorch = (torch: string | null | undefined): string => (torch ? `${torch}${isCpuOnly(torch) ? " (CPU only)" : ""}` : "none");
