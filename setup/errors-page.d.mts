export interface ErrorRegistry { package: string; codes: [code: string, text: string][] }
export function errorRegistries(): Promise<ErrorRegistry[]>;
export function errorsPage(registries: readonly ErrorRegistry[]): string;
