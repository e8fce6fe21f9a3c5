/**
 * The messages of Envoy's ext_authz, envoy/service/auth/v3/external_auth.proto, as far as a verdict goes. What is left out of them is skipped on
 * reading, and the names of messages are not on the wire: numbers and types are what must agree.
 */
import protobuf from 'protobufjs';

const PROTO = `
  syntax = "proto3";

  message CheckRequest { AttributeContext attributes = 1; }
  message AttributeContext {
    Request request = 4;
    map<string, string> context_extensions = 10;
  }
  message Request { HttpRequest http = 2; }
  message HttpRequest {
    string method = 2;
    map<string, string> headers = 3;
    string path = 4;
    HeaderMap header_map = 13;
  }
  message HeaderMap { repeated HeaderValue headers = 1; }
  message HeaderValue {
    string key = 1;
    string value = 2;
    bytes raw_value = 3;
  }

  message CheckResponse {
    Status status = 1;
    oneof http_response {
      DeniedHttpResponse denied_response = 2;
      OkHttpResponse ok_response = 3;
    }
  }
  message Status { int32 code = 1; }
  message DeniedHttpResponse {
    HttpStatus status = 1;
    repeated HeaderValueOption headers = 2;
    string body = 3;
  }
  message HttpStatus { int32 code = 1; }
  message OkHttpResponse {
    repeated HeaderValueOption headers = 2;
    repeated string headers_to_remove = 5;
    repeated HeaderValueOption response_headers_to_add = 6;
  }
  message HeaderValueOption {
    HeaderValue header = 1;
    BoolValue append = 2;
    int32 append_action = 3;
  }
  message BoolValue { bool value = 1; }
`;

/** As protobufjs reads it: a message that was not sent is null. */
export interface CheckRequest {
  attributes: {
    request: { http: HttpRequest | null } | null;
    contextExtensions: Readonly<Record<string, string>>;
  } | null;
}

export interface HttpRequest {
  method: string;
  /** With the query, as the client sent it unless Envoy normalises it. */
  path: string;
  /** Values of one name are joined by commas. Empty where headerMap is used. */
  headers: Readonly<Record<string, string>>;
  /** Each header by itself: with encode_raw_headers. */
  headerMap: { headers: readonly { key: string; rawValue: Uint8Array }[] } | null;
}

export interface HeaderValueOption {
  header: { key: string; value: string };
  append: { value: boolean };
  appendAction: number;
}

export interface CheckResponse {
  /** google.rpc.Code: 0 lets the call pass. */
  status: { code: number };
  deniedResponse?: { status: { code: number }; headers: HeaderValueOption[]; body: string };
  okResponse?: {
    headers: HeaderValueOption[];
    headersToRemove: string[];
    responseHeadersToAdd: HeaderValueOption[];
  };
}

const { root } = protobuf.parse(PROTO);
export const CHECK_REQUEST = root.lookupType('CheckRequest');
export const CHECK_RESPONSE = root.lookupType('CheckResponse');

/** Throws on what is no CheckRequest. */
export function readCheckRequest(bytes: Uint8Array): CheckRequest {
  return CHECK_REQUEST.decode(bytes) as unknown as CheckRequest;
}

export function writeCheckResponse(message: CheckResponse): Buffer {
  return Buffer.from(CHECK_RESPONSE.encode(message).finish());
}

/** In place of what the client sent. Before 1.20 Envoy knows `append` only, and a later one may know only the action. */
export function overwriting(headers: Readonly<Record<string, string>>): HeaderValueOption[] {
  return Object.entries(headers).map(([key, value]) => ({
    header: { key, value },
    append: { value: false },
    appendAction: OVERWRITE_IF_EXISTS_OR_ADD,
  }));
}

const OVERWRITE_IF_EXISTS_OR_ADD = 2;
