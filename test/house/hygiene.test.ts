import { type Found, habits, habitsIn, testHabits, wordsIn } from './hygiene.ts'
import { houseReport } from './report.ts'
import { filesUnder, parseSource, readText, sourcesUnder } from './source.ts'

const sources = sourcesUnder('src')
const inSources = sources.flatMap(file => habitsIn(file, habits))
const inTests = sourcesUnder('test').flatMap(file => habitsIn(file, testHabits))

function placesOf(found: readonly Found[], what: string): string[] {
  return found.filter(one => one.what === what).map(({ at }) => at)
}

/** What is written by hand and committed; the cases are other people's texts, and this file names what it forbids. */
function handwritten(): readonly string[] {
  const texts = ['src', 'test', 'profiles', 'terminology', 'mappings', '.ci'].flatMap(folder => filesUnder(folder))
  const top = filesUnder('.').filter(path => !path.includes('/') && path !== 'package-lock.json')
  return [...texts, ...top].filter(
    path => isText(path) && !path.startsWith('test/cases/') && !path.startsWith('test/house/hygiene'),
  )
}

function isText(path: string): boolean {
  return /\.(ts|md|json|ya?ml|sh|xml|csv|hl7|css|html)$|^\.|^[A-Z]+$|^\.ci\//.test(path)
}

/** Each kind of store has one place that turns bytes from its disk back into what vault once sealed. */
function isOnlyGateOfItsStore(fault: string, faults: readonly string[]): boolean {
  const store = /^src\/store\/[a-z]+\//.exec(fault)?.[0]
  return store !== undefined && faults.filter(other => other.startsWith(store)).length === 1
}

describe('the habits of the house', () => {
  it.each(habits)('src does without: $what', ({ what }) => {
    const places = placesOf(inSources, what)
    expect(places.filter(place => what !== 'as Sealed' || !isOnlyGateOfItsStore(place, places))).toEqual([])
  })

  it.each(testHabits)('test does without: $what', ({ what }) => {
    expect(placesOf(inTests, what)).toEqual([])
  })

  it('holds no path of anybody’s machine, and nothing left undone', () => {
    expect(handwritten().flatMap(path => wordsIn(path, readText(path)))).toEqual([])
  })

  it('takes packages from wherever npm is told to: the lock file names no registry', () => {
    const { packages } = JSON.parse(readText('package-lock.json')) as {
      packages: Record<string, { resolved?: string }>
    }
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  })

  it('reports on itself', () => {
    const report = houseReport(sources)
    process.stdout.write(report)
    expect(report).toMatch(/src +\d+ +\d+ +\d+ +\d+/)
  })
})

describe('the checks of habits notice', () => {
  const cases: readonly (readonly [code: string, what: string])[] = [
    ['let a: any', 'any'],
    ['const a = b as unknown as C', 'as unknown as'],
    ['const a = (b as unknown) as C', 'as unknown as'],
    ['const a = <C>b', '<type> cast'],
    ['enum A { b }', 'enum'],
    ['namespace A { export const b = 1 }', 'namespace'],
    ['class A { constructor(private b: string) {} }', 'parameter property'],
    ['try { a() } catch {}', 'empty catch'],
    ['a().catch(() => {})', 'swallowing .catch()'],
    ['a().b().catch(e => {})', 'swallowing .catch()'],
    ['console.log(a)', 'console'],
    ['eval(a)', 'eval'],
    ['new Function(a)', 'new Function'],
    ['const a = b as Sealed', 'as Sealed'],
    ['const a = b as Restricted<Query>', 'as Restricted'],
    ['it.skip("x", f)', 'skip, only or todo'],
    ['describe.only("x", f)', 'skip, only or todo'],
    ['it.skip.each([])("x", f)', 'skip, only or todo'],
    ['xit("x", f)', 'skipping alias'],
  ]
  it.each(cases)('%s', (code, what) => {
    const all = [...habits, ...testHabits.slice(-2)]
    expect(habitsIn(parseSource('src/fhir/x.ts', code), all)).toEqual([{ what, at: 'src/fhir/x.ts:1' }])
  })

  it('what is allowed where', () => {
    expect(habitsIn(parseSource('src/vault/x.ts', 'const a = b as Sealed'), habits)).toEqual([])
    expect(habitsIn(parseSource('src/main.ts', 'console.log(a)'), habits)).toEqual([])
    const code = 'const a = b as unknown; try { a() } catch (e) { log(e) }; p.catch(e => log(e)); query.only; page.skip'
    expect(habitsIn(parseSource('src/fhir/x.ts', code), [...habits, ...testHabits.slice(-2)])).toEqual([])
  })

  it('words', () => {
    const path = (...parts: string[]) => parts.join('/')
    expect(wordsIn('a.md', `x\n${path('', 'home', 'me')}`)).toEqual(['a.md:2 a path of one machine'])
    expect(wordsIn('a.md', path('..', 'shared', 'x'))).toEqual(['a.md:1 a path beside the repository'])
    expect(wordsIn('a.ts', ['// TO', 'DO'].join(''))).toEqual(['a.ts:1 something left undone'])
    expect(wordsIn('a.ts', ['// @ts', 'ignore'].join('-'))).toEqual(['a.ts:1 a type check switched off'])
    expect(wordsIn('a.ts', 'https://example.org/home/page and src/work/x')).toEqual([])
  })
})
