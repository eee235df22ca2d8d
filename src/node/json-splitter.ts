/**
 * Splits a stream of JSON objects that follow one another without framing, as Open vSwitch's JSON-RPC does: by the depth
 * of brackets outside of strings. It parses nothing; what it splits may still be no JSON.
 */

export interface JsonSplitter {
  /**
   * Takes the next piece of text and answers the objects that are whole now. Undefined when the stream is beyond
   * repair: something else than an object began, or one became longer than the limit.
   */
  push(text: string): string[] | undefined;
}

/** `limit` is the most characters of one object. */
export function createJsonSplitter(limit: number): JsonSplitter {
  let waiting = '';
  let depth = 0;
  let isInString = false;
  let isEscaped = false;

  return {
    push(text) {
      const whole: string[] = [];
      let start = 0;
      for (let at = 0; at < text.length; at++) {
        const character = text[at];
        if (isInString) {
          if (isEscaped) isEscaped = false;
          else if (character === '\\') isEscaped = true;
          else if (character === '"') isInString = false;
        } else if (depth === 0) {
          if (character === '{') {
            depth = 1;
            start = at;
          } else if (!/[ \t\r\n]/.test(character)) return undefined;
        } else if (character === '"') isInString = true;
        else if (character === '{' || character === '[') depth++;
        else if ((character === '}' || character === ']') && --depth === 0) {
          whole.push(waiting + text.slice(start, at + 1));
          waiting = '';
        }
      }
      if (depth > 0) waiting += text.slice(start);
      return waiting.length > limit ? undefined : whole;
    },
  };
}
