/** `@@prestage NAME JSON`, one line of ASCII whatever the names: programs read it from serial ports of every encoding. */
export function eventLine(name: string, data: object): string {
  const json = JSON.stringify(data).replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `@@prestage ${name} ${json}`;
}
