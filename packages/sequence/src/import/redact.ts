/** A word in a setting's name that says its value is one to keep to oneself. */
const secretName = /pass(word|wd|phrase)?|\bpwd|secret|credential|productkey|recoverykey|\bpin\b|token|overrideproductkey/i;
/** What no secret is though its name looks like one. */
const harmless = /^(Skip|OSDRandom|Random|BdeRecoveryPassword$|OSDBitLockerCreateRecoveryPassword$|.*CreateRecoveryPassword$|.*Mode$|HidePassword|PasswordMode)/i;

/** Whether a variable of this name holds a password, a key or the like. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmless.test(name);
}

/** Programs whose short switch can only be a password's: psexec -p x, schtasks /rp x, netdom /pd:x; one expression a switch, for a command may have several. */
const shortSwitches: readonly RegExp[] = [
  ["p", "sqlcmd|bcp|psexec(?:64)?|osql|certutil|signtool|winrs|winrm|schtasks"],
  ["rp", "schtasks|manage-bde"],
  ["pd", "netdom"],
  ["po", "netdom"],
].map(([name, programs]) => new RegExp(`(\\b(?:${programs})\\b[^&|]{0,400}?\\s[-/]${name}(?::|\\s{1,40}))(?![-/])("[^"]*"|[^\\s"'&|]+)`, "gi"));

/** Every repetition before a value is bounded: a text of megabytes takes no longer than its length asks for. */
const options: readonly RegExp[] = [
  // -Password x, /pwd:x, --token=x, -SetupPassword "x y"; not msiexec /passive, Start-Process -PassThru, -Bypass
  /((?:^|[\s"'])(?:-{1,2}|\/)(?!passive\b|passthr|[a-z]{0,40}bypass)[a-z]{0,40}(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential)[a-z]{0,40}(?:[:=]|\s{1,40}))("[^"]*"|'[^']*'|[^\s"'&|]+)/gi,
  // /pw:x, --pw=x; plink -pw x, but manage-bde -pw -rp, which asks for it
  /((?:^|[\s"'])(?:-{1,2}|\/)[a-z]{0,40}pw(?:[:=]|\s{1,40}(?![-/])))("[^"]*"|'[^']*'|[^\s"'&|]+)/gi,
  ...shortSwitches,
  // 7z -px, rar -hpx
  /(\b(?:7z[ar]?|rar|unrar|winrar)\b[^&|]{0,400}?\s-h?p)("[^"]*"|[^\s"'&|]+)/gi,
  // curl -u user:x
  /(\bcurl\b[^&|]{0,400}?\s(?:-u|--user)\s{0,40}"?[^\s:"]{1,200}:)([^\s"'&|]+)/gi,
  // net use Z: \\server\share x /user:y and /user:y x
  /(\bnet1?(?:\.exe)?"?\s+use\b(?:\s+(?:[a-z*]:?|\\\\\S+|"\\\\[^"]*"))+\s+)(?!\/|"?\\\\)("[^"]*"|[^\s/]\S*)/gi,
  /(\bnet1?(?:\.exe)?"?\s+user\s+(?:"[^"]*"|\S+)\s+)(?!\/)("[^"]*"|\S+)/gi,
  /(\/user:(?:"[^"]*"|\S+)\s+)(?!\/)("[^"]*"|\S+)/gi,
  // https://user:x@server
  /(\/\/[^\s/:@]+:)([^\s/@]+)(?=@)/gi,
  // PASSWORD=x of msiexec and of cmd's set
  /([a-z_]{0,40}(?:password|passwd|passphrase|pwd|secret|token|productkey|pidkey)[a-z_]{0,40}\s{0,40}=\s{0,40})("[^"]*"|'[^']*'|[^\s"'&|]+)/gi,
  // SVCPASS=x, SA_PW=x; not BYPASS=1, nor an answer file's <settings pass="specialize">
  /((?<!<settings\s)(?:pass|(?<![a-z])pw)(?<!bypass|compass)\s{0,40}=\s{0,40})("[^"]*"|'[^']*'|[^\s"'&|]+)/gi,
  // ConvertTo-SecureString "x" -AsPlainText
  /(ConvertTo-SecureString\s+(?:-String\s+)?)("[^"]*"|'[^']*'|\S+)/gi,
  // slmgr /ipk and any product key in groups of five
  /()\b([A-Z0-9]{5}(?:-[A-Z0-9]{5}){4})\b/gi,
  // a recovery password of BitLocker: eight groups of six digits
  /()\b(\d{6}(?:-\d{6}){7})\b/g,
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
