import { parseResource } from '#fhir'
import { placesOf } from '../../../src/interactions/patch/fhirpath-places.ts'
import { metWhile, mostMetMs } from '../../turns.ts'

const partOf = (at: number) => `{"code":{"text":"c${at}"},"valueQuantity":{"value":${at}.50}}`
const observationOf = (parts: number) =>
  parseResource(
    `{"resourceType":"Observation","status":"final","component":[${Array.from({ length: parts }, (_, at) => partOf(at)).join(',')}]}`,
  )

describe('a path of a patch in a large resource – https://hl7.org/fhir/R4/fhirpatch.html', () => {
  it('is followed in slices, between which others have their turn', async () => {
    await placesOf('Observation.status', observationOf(1), 'path')
    const large = observationOf(60_000)
    const { result, metMs } = await metWhile(() => placesOf('Observation.status', large, 'path'))
    expect(result).toEqual([[{ name: 'status', index: undefined }]])
    expect(metMs).toBeLessThan(mostMetMs)
  })

  it('compares numbers whatever digits they have', async () => {
    const found = await placesOf('Observation.component.where(value.value = 7.5)', observationOf(9), 'path')
    expect(found).toEqual([[{ name: 'component', index: 7 }]])
  })
})
