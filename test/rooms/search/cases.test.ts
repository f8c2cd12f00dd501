import type { Resource } from '#fhir'
import { CompartmentIndex, encodeSegment, extractRow, leadsElsewhere, matches } from '#search'
import { ask, caseFiles, Household, patientHolder, queryOf } from './household.ts'

const holder = patientHolder('p')

function localId(name: string): string {
  return name.slice(name.indexOf('/') + 1)
}

for (const { name, spec, resources, cases } of caseFiles()) {
  describe(`${name} – ${spec}`, () => {
    const household = new Household(holder, resources)

    for (const { search, finds, includes, ordered, total, why } of cases) {
      it(`${search} · ${why}`, () => {
        const { matches: found, included, result } = ask(search, [household])
        const ids = found.map(localId)
        if (ordered === true) expect(ids).toEqual(finds)
        else expect([...ids].sort()).toEqual([...finds].sort())
        if (includes !== undefined) expect([...included].sort()).toEqual([...includes].sort())
        if (total !== undefined) expect(result.total).toBe(total)
      })
    }

    it('finds the same in rows that went through a segment', () => {
      const index = new CompartmentIndex(holder)
      index.addSegment(
        encodeSegment(
          resources.map((resource, i) =>
            extractRow(resource, { seq: i + 1, version: 1, lastUpdatedMs: (i + 1) * 1000, deleted: false }),
          ),
        ),
      )
      const twin = Object.assign(new Household(holder, resources), { index })
      for (const { search } of cases) {
        const { result } = ask(search, [household])
        expect(ask(search, [twin]).result).toEqual(result)
      }
    })

    it('matches one resource by itself as it finds it among others', async () => {
      for (const { search } of cases) {
        const query = queryOf(search)
        if (query.criteria.some(leadsElsewhere) || query.types.length > 1) continue
        if (query.text.includes('_lastUpdated') || query.summary === 'count' || query.count !== undefined) continue
        const alone: Resource[] = []
        for (const resource of resources)
          if (resource.resourceType === query.types[0] && (await matches(resource, query.criteria)))
            alone.push(resource)
        const { matches: found } = ask(search, [household])
        expect(alone.map(({ id }) => id).sort()).toEqual(found.map(localId).sort())
      }
    })
  })
}
