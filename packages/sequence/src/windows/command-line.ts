import type { WindowsCommand } from "./windows-plan.ts";

/**
 * An argument as programs of Windows read it back: between quotation marks where it holds a space or one, each backslash before a quotation
 * mark doubled. Source of the rule: CommandLineToArgvW and the C runtime's parsing of arguments.
 */
export function quotedArgument(text: string): string {
  if (text !== "" && !/[\s"]/.test(text)) return text;
  return `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`;
}

/** The command line CreateProcess gets. */
export function windowsCommandLine({ program, arguments: given, verbatim = false }: Pick<WindowsCommand, "program" | "arguments" | "verbatim">): string {
  return [quotedArgument(program), ...given.map((one) => (verbatim ? one : quotedArgument(one)))].join(" ");
}

/**
 * The words of a command line, by the rules of CommandLineToArgvW: a backslash means nothing but before a quotation mark; two quotation
 * marks within a quoted part are one.
 */
export function splitWindowsCommandLine(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let begun = false;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const slashes = /^\\*/.exec(text.slice(i))?.[0].length ?? 0;
    if (slashes > 0 && text[i + slashes] === '"') {
      word += "\\".repeat(Math.floor(slashes / 2));
      begun = true;
      i += slashes;
      if (slashes % 2 === 1) word += '"';
      else i--;
    } else if (slashes > 0) {
      word += "\\".repeat(slashes);
      begun = true;
      i += slashes - 1;
    } else if (text[i] === '"' && quoted && text[i + 1] === '"') {
      word += '"';
      i++;
    } else if (text[i] === '"') {
      quoted = !quoted;
      begun = true;
    } else if (/[ \t]/.test(text[i] ?? "") && !quoted) {
      if (begun) words.push(word);
      word = "";
      begun = false;
    } else {
      word += text[i] ?? "";
      begun = true;
    }
  }
  return begun ? [...words, word] : words;
}

/** What cmd.exe does with a command line that a person wrote: `/s` takes the outer quotation marks off and leaves the rest as it is; `/d` leaves AutoRun out. */
export function commandShell(command: string, what: string): WindowsCommand {
  return { what, program: "cmd.exe", arguments: ["/d", "/s", "/c", `"${command}"`], verbatim: true };
}
