import type { ErrorObject } from 'ajv'

/** A fault that no JSON schema says, in the form of those that ajv finds. @param instancePath  JSON pointer: `/code/coding/0` */
export function faultAt(keyword: string, instancePath: string): ErrorObject {
  return { keyword, instancePath, schemaPath: '', params: {} }
}
