import type { Route } from '../types.ts'
import { documentByName, documentOfOne, documentParameters, namedDocumentParameters } from './document.ts'

const one = {
  path: '/Composition/:id/$document',
  interaction: '$document',
  verb: 'none',
  query: documentParameters,
  handler: documentOfOne,
} as const
const named = {
  ...one,
  path: '/Composition/$document',
  query: namedDocumentParameters,
  handler: documentByName,
} as const

/** Documents of Compositions. */
// biome-ignore format: a table is read by its columns
export const documentRows: readonly Route[] = [
  { ...named, method: 'GET', summary: 'The document of the Composition with an id' },
  { ...named, method: 'POST', bodyOptional: true, summary: 'The document of the Composition with an id, asked by Parameters' },
  { ...one, method: 'GET', summary: 'The document of a Composition: all that it refers to' },
  { ...one, method: 'POST', bodyOptional: true, summary: 'The document of a Composition, asked by Parameters' },
]
