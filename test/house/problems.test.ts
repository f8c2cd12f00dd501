import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { faultsOfRoom, thrownBy } from './problems.ts'
import { filesUnder, parseSource, readText, root, sourcesUnder } from './source.ts'

const sources = sourcesUnder('src')
const places = [...new Set(sources.map(file => file.place))].sort()
const readmeOf = (place: string) => (existsSync(join(root, 'src', place)) ? `src/${place}/README.md` : 'src/README.md')

/** A room has a README; what lies above the rooms shares one. */
const rooms = [...new Set(places.map(readmeOf))].map(path => {
  const readme = existsSync(join(root, path)) ? readText(path) : ''
  const files = sources.filter(file => readmeOf(file.place) === path)
  return { place: [...new Set(files.map(file => file.place))].join(' and '), path, readme, files }
})

describe('every Problem', () => {
  it.each(rooms)('of $place stands in the table of its README under its kind, and none other does', room => {
    expect(faultsOfRoom(room.path, room.readme, room.files)).toEqual([])
  })

  it('is named in a test', () => {
    const tests = filesUnder('test', '.ts').filter(path => !path.startsWith('test/house/'))
    const text = tests.map(readText).join('\n')
    const codes = new Set(rooms.flatMap(room => thrownBy(room.files)).map(({ code }) => code))
    expect([...codes].filter(code => !new RegExp(`['"\`]${code}['"\`]`).test(text)).sort()).toEqual([])
  })
})

describe('the check of Problems notices', () => {
  const readme =
    '# x\n## Problems\n\n| code | kind | when |\n|---|---|---|\n| `x.a` | invalid | … |\n\n## Next\n| x.z | a | b |\n'
  const faultsOf = (code: string) => faultsOfRoom('README.md', readme, [parseSource('src/fhir/x.ts', code)])

  it('nothing where all is well', () => {
    expect(faultsOf("throw new Problem('invalid', 'x.a', 'Text.')")).toEqual([])
  })

  it('a code that is thrown but not listed', () => {
    expect(faultsOf("new Problem('invalid', 'x.a', ''); new Problem('invalid', bad ? 'x.b' : 'x.a', '')")).toEqual([
      'src/fhir/x.ts:1 throws x.b, not in README.md',
    ])
  })

  it('a code in a table', () => {
    expect(faultsOf("const rows = [{ code: 'x.a', kind: 'fault' }, { code: 'x.b' }]")).toEqual([
      'src/fhir/x.ts:1 throws x.a as fault; README.md says invalid',
      'src/fhir/x.ts:1 throws x.b, not in README.md',
    ])
  })

  it('a code that is handed to a function which makes the Problem', () => {
    const makers =
      "function refuse(code) { throw new Problem('invalid', code, '') }; const bad = c => new Problem('x', c, '')"
    const calls =
      "refuse('x.a'); refuse(a ? 'x.b' : 'x.a'); throw bad('x.c'); open('x.json'); refuse('package.json', 5)"
    expect(faultsOf(`${makers}\n${calls}`)).toEqual([
      'src/fhir/x.ts:2 throws package.json, not in README.md',
      'src/fhir/x.ts:2 throws x.b, not in README.md',
      'src/fhir/x.ts:2 throws x.c, not in README.md',
    ])
  })

  it('another kind', () => {
    expect(faultsOf("new Problem('fault', 'x.a', '')")).toEqual([
      'src/fhir/x.ts:1 throws x.a as fault; README.md says invalid',
    ])
  })

  it('a code that is listed but not thrown', () => {
    expect(faultsOf('export const a = 1')).toEqual(['README.md lists x.a, never thrown'])
  })
})
