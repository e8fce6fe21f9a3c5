// Generated from crds/ by `npm run generate`. Do not edit.
export function validate(data: unknown): boolean;
