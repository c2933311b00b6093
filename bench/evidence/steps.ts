export function measureSteps(_out: string, _commit: string): void {}
