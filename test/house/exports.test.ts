import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { faultsOfOpening, undocumentedIn } from './exports.ts'
import { plan } from './plan.ts'
import { parseSource, readText, root, type SourceFile, sourcesUnder } from './source.ts'

const files = new Map(sourcesUnder('src').map(file => [file.path, file]))
const doors = plan
  .map(({ room }) => ({ room, path: `src/${room}/index.ts` }))
  .filter(({ path }) => existsSync(join(root, path)))

describe('the door of a room', () => {
  it.each(doors)('$room: everything it exports has a docstring where it is declared', ({ path }) => {
    const door = files.get(path)
    expect(door === undefined ? [path] : undocumentedIn(door, files)).toEqual([])
  })

  it.each(doors)(
    '$room: opens with what it is, must never know, its one idea, its data, its decisions',
    ({ room, path }) => {
      expect(faultsOfOpening(room, readText(path))).toEqual([])
    },
  )
})

describe('the check of doors notices', () => {
  const check = (door: string, ...more: readonly SourceFile[]) =>
    undocumentedIn(parseSource('src/fhir/index.ts', door), new Map(more.map(file => [file.path, file])))

  it('nothing where all is said', () => {
    const ids = parseSource(
      'src/fhir/ids.ts',
      '/** Whether a text é is an id. */\nexport function isId() {}\n/** The size of an id, not of all/** of it. */\n// biome-ignore format: x\n\nconst size = 1\nexport { size }',
    )
    expect(check("export { isId, size } from './ids.ts'", ids)).toEqual([])
  })

  it('a function, a type and a constant without docstring, also behind two re-exports', () => {
    const ids = parseSource(
      'src/fhir/ids.ts',
      '// Whether.\nexport function isId() {}\nexport interface Id {}\nexport const a = 1, b = 2',
    )
    const far = parseSource(
      'src/fhir/far.ts',
      "import { a } from './ids.ts'\nexport { a }\nexport { b as c } from './ids.ts'",
    )
    expect(check("export { isId, type Id as Key } from './ids.ts'\nexport { a, c } from './far.ts'", ids, far)).toEqual(
      [
        'src/fhir/index.ts: isId has no docstring in src/fhir/ids.ts',
        'src/fhir/index.ts: Key has no docstring in src/fhir/ids.ts',
        'src/fhir/index.ts: a has no docstring in src/fhir/ids.ts',
        'src/fhir/index.ts: c has no docstring in src/fhir/ids.ts',
      ],
    )
  })

  it('a comment that is another declaration’s, names from nowhere, stars, and the goods of other rooms', () => {
    const ids = parseSource('src/fhir/ids.ts', '/** Whether a text is an id. */\nconst x = 1\nexport const y = 2')
    expect(
      check("export { y, z } from './ids.ts'\nexport * from './ids.ts'\nexport { q } from '#kernel'\n", ids),
    ).toEqual([
      'src/fhir/index.ts: y has no docstring in src/fhir/ids.ts',
      'src/fhir/index.ts: z is declared nowhere in src/fhir/ids.ts',
      'src/fhir/index.ts: export *; a door names what it gives',
      'src/fhir/index.ts: q is re-exported from #kernel; a room gives its own',
    ])
  })

  it('an opening comment that leaves something out', () => {
    expect(faultsOfOpening('fhir', '/**\n * fhir – the model.\n * The one idea: x. Its data: none.\n */')).toEqual([
      'fhir: opening comment lacks "must never know"',
      'fhir: opening comment lacks "Decisions"',
    ])
    expect(faultsOfOpening('fhir', 'export {}')).toEqual(['fhir: no opening comment'])
  })
})
