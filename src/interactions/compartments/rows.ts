import type { Route } from '../types.ts'
import { searchCompartmentOf } from './compartment-of.ts'
import { type CompartmentType, compartmentParameters } from './compartment-parameters.ts'
import { encounterEverythingParameters, everythingOfEncounter } from './encounter-everything.ts'

const form = 'application/x-www-form-urlencoded'

function searchesOf(type: CompartmentType): readonly Route[] {
  const shared = { interaction: 'search-compartment', query: 'search', handler: searchCompartmentOf(type) } as const
  const what = type === 'Encounter' ? 'an Encounter' : `a ${type}`
  const one = { ...shared, verb: 's', summary: `Search one type in the compartment of ${what}` } as const
  const posted = `Search one type in the compartment of ${what}, parameters in the body`
  return [
    { ...shared, method: 'GET', path: `/${type}/:id/*`, verb: 'none', summary: `Search the compartment of ${what}` },
    { ...one, method: 'GET', path: `/${type}/:id/:type` },
    { ...one, method: 'POST', path: `/${type}/:id/:type/_search`, consumes: form, summary: posted },
  ]
}

const everything = {
  path: '/Encounter/:id/$everything',
  interaction: '$everything',
  verb: 'none',
  query: encounterEverythingParameters,
  handler: everythingOfEncounter,
} as const

/** Compartments beside a patient's, and all that belongs to an encounter. */
export const compartmentRows: readonly Route[] = [
  { ...everything, method: 'GET', summary: 'Everything about one encounter' },
  { ...everything, method: 'POST', bodyOptional: true, summary: 'Everything about one encounter, asked by Parameters' },
  ...(Object.keys(compartmentParameters) as CompartmentType[]).flatMap(searchesOf),
]
