/** A piece of the document. */
export type Node = { readonly [member: string]: unknown }

/** A pointer to a component. */
export function ref(kind: 'parameters' | 'schemas' | 'responses' | 'headers', name: string): Node {
  return { $ref: `#/components/${kind}/${name}` }
}

/** `/:type/:id` as OpenAPI writes it. */
export function templated(path: string): string {
  return path.replaceAll(/:([a-z]+)/gi, '{$1}')
}

/** `get-type-id` of `GET /:type/:id`; unique, because method and path are. */
export function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(word => word !== '')
  return [method.toLowerCase(), ...words, ...(path.endsWith('*') ? ['all'] : [])].join('-')
}

/** A field of a form that is not needed. Without an example Swagger UI would fill in `string`, and send it. */
export const unfilled: Node = { type: 'string', examples: [''] }
