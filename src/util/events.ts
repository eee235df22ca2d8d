/**
 * Listeners by event. Emitting to nobody costs one look into a table, and the event is not even made.
 */

export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<(event: Map[Name]) => void> } = {};

  /** Calls `listener` for each event of that name, until the function that is answered is called. */
  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  /** Whether anybody listens. */
  has(name: keyof Map): boolean {
    return (this.#listeners[name]?.size ?? 0) > 0;
  }

  /** Makes the event and hands it out, if anybody listens. */
  emit<Name extends keyof Map>(name: Name, make: () => Map[Name]): void {
    const listeners = this.#listeners[name];
    if (!listeners || listeners.size === 0) return;
    const event = make();
    for (const listener of listeners) listener(event);
  }
}
