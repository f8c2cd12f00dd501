import type { Resource } from '#fhir'
import type { CodingFact, Designation } from '#terminology'
import type { FhirResponse } from '../types.ts'

/** One entry of a Parameters resource that is answered; undefined members are left out. */
export interface Told {
  readonly name: string
  readonly part?: readonly Told[]
  readonly [value: `value${string}`]: unknown
}

/** Parameters as the answer, without those that have nothing to tell. */
export function answerWith(told: readonly Told[]): FhirResponse {
  const body: Resource = { resourceType: 'Parameters', parameter: told.filter(tells) }
  return { status: 200, headers: {}, body }
}

function tells({ name, ...rest }: Told): boolean {
  return Object.values(rest).some(value => value !== undefined)
}

/** A Coding without what is not known of it. */
export function toCoding({ system, version, code, display }: CodingFact): CodingFact {
  return {
    ...(system === undefined ? {} : { system }),
    ...(version === undefined ? {} : { version }),
    ...(code === undefined ? {} : { code }),
    ...(display === undefined ? {} : { display }),
  }
}

/** A designation as a part of an answer. */
export function tellDesignation({ language, use, value }: Designation): Told {
  const part: readonly Told[] = [
    { name: 'language', valueCode: language },
    { name: 'use', valueCoding: use },
    { name: 'value', valueString: value },
  ]
  return { name: 'designation', part: part.filter(tells) }
}
