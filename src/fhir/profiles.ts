import { lazy, readProfile } from './definitions.ts'

const profiles = lazy(() => readProfile<Readonly<Record<string, object>>>('profiles.json'))
const base = 'http://hl7.org/fhir/StructureDefinition/'

/** R4's own profiles of its types, e.g. `vitalsigns`: the StructureDefinition, as far as a resource can break it. @param url  without version */
export function coreProfile(url: string): object | undefined {
  const name = url.startsWith(base) ? url.slice(base.length) : ''
  return Object.hasOwn(profiles(), name) ? profiles()[name] : undefined
}
