const TEXT = { type: 'string' } as const;

/** Options of a stream on a portable runner, all of them texts; none is a parameter of the template. */
export const WINDOW_OPTIONS = {
  'expansion-service': TEXT,
  'window-seconds': TEXT,
  'allowed-lateness-seconds': TEXT,
} as const;
