/**
 * What detection commands ask by, for Windows PowerShell 5.1; by name. No quotation mark and no `%` is in them, for they stand between quotation marks in a command line of cmd.exe.
 * `Value` and `Key` take a hive, a key and the registry's views in their order; `Find` takes what kind of item it is and paths in their order; `Version` fills up with zeros.
 */
export const helpers: Readonly<Record<string, string>> = {
  Value: "function Value($h,$k,$n,$w){foreach($v in $w){$s=[Microsoft.Win32.RegistryKey]::OpenBaseKey($h,$v).OpenSubKey($k);if($s -ne $null){$r=$s.GetValue($n);if($r -ne $null){return $r}}}}",
  Key: "function Key($h,$k,$w){foreach($v in $w){if([Microsoft.Win32.RegistryKey]::OpenBaseKey($h,$v).OpenSubKey($k) -ne $null){return $true}}return $false}",
  Find: "function Find($t,$p){foreach($f in $p){$f=[Environment]::ExpandEnvironmentVariables($f);if(Test-Path -LiteralPath $f -PathType $t){return (Get-Item -LiteralPath $f -Force)}}}",
  VersionOf: "function VersionOf($f){if($f -ne $null){$i=$f.VersionInfo;return ('{0}.{1}.{2}.{3}' -f $i.FileMajorPart,$i.FileMinorPart,$i.FileBuildPart,$i.FilePrivatePart)}}",
  Version: "function Version($t){$m=@([regex]::Matches([string]$t,'\\d+'));if($m.Count -gt 0){$p=@(0,0,0,0);for($i=0;$i -lt 4 -and $i -lt $m.Count;$i++){$p[$i]=[int]$m[$i].Value};return (New-Object Version $p)}}",
};
