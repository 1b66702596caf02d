/** What can go wrong with a sealed message; each message is one English sentence and says nothing of its content. */

export class SealedError extends Error {}

/** Bytes that break a format, or are more than one of its limits allows. */
export class MalformedError extends SealedError {}

/** A key configuration for another suite than the one that is known here. */
export class UnknownSuiteError extends SealedError {}

/** A sealed chunk that was changed, replayed at another place, or made for another key. */
export class UnopenedError extends SealedError {}

/** A message that ended before its final chunk: never to be taken for a shorter one. */
export class TruncatedError extends SealedError {}
