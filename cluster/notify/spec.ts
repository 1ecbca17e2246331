/** Who is told of what, as the cluster file says it. URLs of webhooks travel apart, as secrets do. */

export const NOTICE_KINDS = ["failed", "recovered", "hang", "ended"] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

export type NotifySpec = {
  readonly on: readonly NoticeKind[];
  /** How many there are. */
  readonly webhooks: number;
  /** Run on the controller's machine; null: none. */
  readonly command: readonly string[] | null;
  /** Viewers on a terminal ring it. */
  readonly isBell: boolean;
};

/** Where the URLs are among the secret values of a run that is asked for: no host is called so. */
export const WEBHOOKS = "@notify";
