import type { Route } from '../types.ts'
import { fhirpathOfSent, fhirpathOfStored, fhirpathParameters } from './fhirpath.ts'

const shared = { interaction: '$fhirpath', query: fhirpathParameters } as const

/** FHIRPath on what is sent, and on what is stored. */
// biome-ignore format: a table is read by its columns
export const fhirpathRows: readonly Route[] = [
  { ...shared, method: 'POST', path: '/$fhirpath', verb: 'none', summary: 'Evaluate FHIRPath on a resource that is sent', handler: fhirpathOfSent },
  { ...shared, method: 'POST', path: '/:type/$fhirpath', verb: 'none', summary: 'Evaluate FHIRPath on a resource of this type that is sent', handler: fhirpathOfSent },
  { ...shared, method: 'GET', path: '/:type/:id/$fhirpath', verb: 'r', summary: 'Evaluate FHIRPath on a stored resource', handler: fhirpathOfStored },
  { ...shared, method: 'POST', path: '/:type/:id/$fhirpath', verb: 'r', summary: 'Evaluate FHIRPath on a stored resource, asked by Parameters', handler: fhirpathOfStored },
]
