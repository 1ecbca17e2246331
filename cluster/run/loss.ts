/** Is a silent host gone? A first witness (the silence towards the controller) is never enough. Pure. */

/** What another host saw when it knocked at the silent one's SSH port: alive: a banner; mute: it connects and says nothing; dead: it does not connect. */
export type Knock = "alive" | "mute" | "dead";

export type LossEvidence = {
  /** Since the last word from it, less the time that the controller itself was down or asleep. */
  readonly silentMs: number;
  readonly lostMs: number;
  /** Hosts of the attempt, and how many of them are silent now, this one included. */
  readonly members: number;
  readonly silent: number;
  readonly knocks: readonly { readonly by: string; readonly saw: Knock }[];
  /** The attempt failed on other hosts while this one was silent. */
  readonly peersFailed: boolean;
  /** Since any rank of the attempt on another host wrote a byte. */
  readonly quietMs: number;
};

/** Why it is lost; null: it is not, or that cannot be told. */
export function lossVerdict(e: LossEvidence): string | null {
  if (e.silentMs < e.lostMs) return null;
  if (isCutOff(e)) return null;
  const saw = (what: Knock): string[] => e.knocks.filter((knock) => knock.saw === what).map(({ by }) => by);
  const silence = `nothing heard for ${Math.round(e.silentMs / 1000)} s`;
  const [dead, mute, alive] = [saw("dead"), saw("mute"), saw("alive")];
  if (alive.length > 0) return null; // the way from here to it is broken, not the host
  if (mute.length > 0)
    return e.quietMs >= e.lostMs || e.peersFailed ? `${silence}, and it takes connections from ${mute[0]} but does not answer: frozen?` : null;
  if (dead.length > 0) return `${silence}, and ${dead.join(", ")} cannot reach it either`;
  return e.peersFailed ? `${silence}, and the ranks on other hosts failed` : null;
}

/** Most hosts fell silent together: the controller is the one that is cut off. */
export const isCutOff = ({ members, silent }: Pick<LossEvidence, "members" | "silent">): boolean => silent > 1 && silent * 2 > members;
