export function statusMessagesPage(): Promise<string>;
