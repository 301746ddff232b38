import { readFile } from "node:fs/promises";
import type { keyboardLayoutNames } from "@prestage/media/schema";
import { runCommand } from "../run-command.ts";
import type { Tool } from "./overlay.ts";

/** Layouts the boot environment has, in the order F3 goes through them: their names, and the kernel's keymaps. */
export const keyboardLayouts = { us: "qwerty/us", fr: "azerty/fr-latin9", de: "qwertz/de-latin1-nodeadkeys", uk: "qwerty/uk" } as const satisfies Record<(typeof keyboardLayoutNames)[number], string>;
export type KeyboardLayout = keyof typeof keyboardLayouts;

const keymapFolder = "/usr/share/keymaps/i386";

/** The layout a media names; `us` where it is none of ours. */
export function layoutOf(name: string): KeyboardLayout {
  return Object.keys(keyboardLayouts).find((layout): layout is KeyboardLayout => layout === name.toLowerCase()) ?? "us";
}

/** The layout of this computer's keyboard. */
export class Keyboard {
  #layout: KeyboardLayout = "us";
  readonly #load: (path: string) => Promise<boolean>;
  readonly #changed: (layout: KeyboardLayout) => void;

  constructor(changed: (layout: KeyboardLayout) => void, load: (path: string) => Promise<boolean> = loadKeymap) {
    this.#changed = changed;
    this.#load = load;
  }

  get layout(): KeyboardLayout {
    return this.#layout;
  }

  /** False where the keymap cannot be loaded: then the layout stays what it was. */
  async use(layout: KeyboardLayout): Promise<boolean> {
    if (!(await this.#load(`${keymapFolder}/${keyboardLayouts[layout]}.kmap`))) return false;
    this.#layout = layout;
    this.#changed(layout);
    return true;
  }

  /** F3: the next layout that can be loaded. */
  tool(): Tool {
    return {
      number: 3,
      label: (texts) => texts.keyKeyboard(this.#layout),
      press: (host) => {
        const names = Object.keys(keyboardLayouts).map(layoutOf);
        const next = names[(names.indexOf(this.#layout) + 1) % names.length] ?? "us";
        void this.use(next).then(() => host.redraw());
      },
    };
  }
}

async function loadKeymap(path: string): Promise<boolean> {
  const { code } = await runCommand("loadkeys", ["--quiet", "--unicode", "--console=/dev/tty0", path]);
  return code === 0;
}

/** Terminus on the machine's own screen: where it has at least 1,000 rows of dots, twice as large as what the kernel starts with. To be called before a terminal is opened, which changes its size no more. */
export async function setConsoleFont(): Promise<void> {
  const [, rows] = (await readFile("/sys/class/graphics/fb0/virtual_size", "utf8").catch(() => "")).trim().split(",").map(Number);
  await runCommand("setfont", ["-C", "/dev/tty0", `/usr/share/consolefonts/${(rows ?? 0) >= 1000 ? "Lat15-Terminus32x16" : "Lat15-Terminus16"}.psf`]);
}
