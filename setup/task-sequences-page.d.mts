export function taskSequencesPage(): Promise<string>;
