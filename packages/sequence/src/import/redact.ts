/** A word in a setting's name that says its value is one to keep to oneself. */
const secretName = /pass(word|wd|phrase)?|\bpwd|secret|credential|productkey|recoverykey|\bpin\b|token|overrideproductkey/i;
/** What no secret is though its name looks like one. */
const harmless = /^(Skip|OSDRandom|Random|BdeRecoveryPassword$|OSDBitLockerCreateRecoveryPassword$|.*CreateRecoveryPassword$|.*Mode$|HidePassword|PasswordMode)/i;

/** Whether a variable of this name holds a password, a key or the like. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmless.test(name);
}

/** Every repetition before a value is bounded: a text of megabytes takes no longer than its length asks for. */
const options: readonly RegExp[] = [
  // -Password x, /pwd:x, --token=x, -SetupPassword "x y"
  /((?:^|[\s"'])(?:-{1,2}|\/)[a-z]{0,40}(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential)[a-z]{0,40}(?:[:=]|\s{1,40}))("[^"]*"|'[^']*'|[^\s"'&|]+)/gi,
  // sqlcmd -P x, psexec -p x
  /(\b(?:sqlcmd|bcp|psexec|osql)\b[^&|]{0,2000}?\s-p\s+)("[^"]*"|\S+)/gi,
  // net use Z: \\server\share x /user:y and /user:y x
  /(\bnet\s+use\b(?:\s+(?:[a-z*]:?|\\\\\S+))+\s+)(?!\/)("[^"]*"|[^\s/]\S*)/gi,
  /(\bnet\s+user\s+(?:"[^"]*"|\S+)\s+)(?!\/)("[^"]*"|\S+)/gi,
  /(\/user:(?:"[^"]*"|\S+)\s+)(?!\/)("[^"]*"|\S+)/gi,
  // https://user:x@server
  /(\/\/[^\s/:@]+:)([^\s/@]+)(?=@)/gi,
  // PASSWORD=x of msiexec and of cmd's set
  /([a-z_]{0,40}(?:password|passwd|pwd|secret|token|productkey|pidkey)[a-z_]{0,40}\s{0,40}=\s{0,40})("[^"]*"|'[^']*'|[^\s"'&|]+)/gi,
  // ConvertTo-SecureString "x" -AsPlainText
  /(ConvertTo-SecureString\s+(?:-String\s+)?)("[^"]*"|'[^']*'|\S+)/gi,
  // slmgr /ipk and any product key in groups of five
  /()\b([A-Z0-9]{5}(?:-[A-Z0-9]{5}){4})\b/gi,
];

/** The text with `***` in place of what looks like a password; `found` says whether there was one. A variable (%X%, $X, $(X)) is none. */
export function redact(text: string): { text: string; found: boolean } {
  let found = false;
  let result = text;
  for (const option of options) {
    result = result.replace(option, (whole: string, before: string, value: string) => {
      if (/^["']?(%[^%]+%|\$[({]?\w+|\*+)["')}]*$/.test(value) || value === "***") return whole;
      // for /F "tokens=2": words of a line
      if (/\btokens\s*=\s*$/i.test(before) && /^[\d,*-]+$/.test(value)) return whole;
      found = true;
      return `${before}***`;
    });
  }
  return { text: result, found };
}
