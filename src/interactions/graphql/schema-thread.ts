/** Runs in a thread of its own (`introspection.ts`). */
import { executeSync, type GraphQLSchema, MaxIntrospectionDepthRule, parse, specifiedRules, validate } from 'graphql'
import { serveBeside } from '#kernel'
import { schemaOf } from './schema.ts'

export interface SchemaTask {
  readonly query: string
  readonly operationName: string | undefined
  /** JSON. */
  readonly variables: string
  /** The type that is asked: `Query`, or a type of resources. */
  readonly root: string
}

export interface SchemaAnswer {
  /** JSON; undefined where the question is not one that the schema answers. */
  readonly text: string | undefined
}

const schemas = new Map<string, GraphQLSchema>()
const rules = [...specifiedRules, MaxIntrospectionDepthRule]

serveBeside(({ query, operationName, variables, root }: SchemaTask): SchemaAnswer => {
  const schema = schemas.get(root) ?? schemaOf(root)
  // One beside that of the whole system is enough to keep.
  if (!schemas.has(root) && schemas.size > 1) schemas.clear()
  schemas.set(root, schema)
  const document = parse(query)
  if (validate(schema, document, rules, { maxErrors: 1 }).length > 0) return { text: undefined }
  const variableValues = JSON.parse(variables) as Record<string, unknown>
  const result = executeSync({ schema, document, operationName: operationName ?? null, variableValues })
  return { text: result.errors === undefined ? JSON.stringify({ data: result.data }) : undefined }
})
