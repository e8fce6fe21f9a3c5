/** The part of events.k8s.io/v1 that is written here. */
import type { KubeObject, ResourceType } from '../ports.ts';

export interface EventSeries {
  /** 2 and up: the API server refuses a series of one. */
  count: number;
  /** MicroTime. */
  lastObservedTime: string;
}

export interface ObjectReference {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
}

export interface EventObject extends KubeObject {
  eventTime: string;
  reportingController: string;
  reportingInstance: string;
  action: string;
  reason: string;
  regarding: ObjectReference;
  note: string;
  type: 'Normal' | 'Warning';
  series?: EventSeries;
}

export const EVENTS: ResourceType<EventObject> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

/** Limits of the API server's validation (pkg/apis/core/validation/events.go), in bytes. */
export const NOTE_LIMIT = 1024;
export const NAME_LIMIT = 128;

/** Kubernetes MicroTime: RFC 3339 with six digits. */
export function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}

/** At most `limit` bytes of UTF-8, cut between characters. */
export function cutToBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  const bytes = Buffer.from(text).subarray(0, limit - 3);
  // a character cut in two decodes as U+FFFD
  return `${bytes.toString().replace(/\ufffd+$/, '')}…`;
}
