import type { Route } from '../types.ts'
import { graphqlOfOne, graphqlOfSystem } from './graphql.ts'

const shared = {
  interaction: '$graphql',
  query: ['query', 'operationName', 'variables'],
  produces: 'application/json',
} as const

/** GraphQL; no part of a Bundle, as its answer is no resource. */
// biome-ignore format: a table is read by its columns
export const graphqlRows: readonly Route[] = [
  { ...shared, method: 'GET', path: '/$graphql', verb: 'none', summary: 'Ask by GraphQL for resources of all types', handler: graphqlOfSystem },
  { ...shared, method: 'POST', path: '/$graphql', verb: 'none', consumes: 'application/json', bodyOptional: true, summary: 'Ask by GraphQL for resources of all types, the query in the body', handler: graphqlOfSystem },
  { ...shared, method: 'GET', path: '/:type/:id/$graphql', verb: 'r', summary: 'Ask by GraphQL for parts of a resource and what belongs to it', handler: graphqlOfOne },
  { ...shared, method: 'POST', path: '/:type/:id/$graphql', verb: 'r', consumes: 'application/json', bodyOptional: true, summary: 'Ask by GraphQL for parts of a resource and what belongs to it, the query in the body', handler: graphqlOfOne },
]
