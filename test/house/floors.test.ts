import { plan, roomPlan } from './plan.ts'
import { filesUnder, parseSource, readText, sourcesUnder } from './source.ts'
import {
  allowedRooms,
  cyclesOf,
  faultsOf,
  fileGraph,
  isWellNamed,
  type Judge,
  judgeCryptography,
  judgeMapping,
  judgeOutside,
  judgeRelative,
  judgeRoom,
  roomGraph,
} from './walls.ts'

const sources = sourcesUnder('src')

describe('the floors of the house', () => {
  it('has a row in the plan for every place in src', () => {
    const strangers = sources.filter(file => allowedRooms(file.place) === undefined).map(file => file.path)
    expect(strangers).toEqual([])
  })

  it('plans only walls that lead downwards', () => {
    const upward = plan.flatMap(({ room, floor, mayImport }) =>
      mayImport.filter(other => (roomPlan(other)?.floor ?? floor) >= floor).map(other => `${room} → ${other}`),
    )
    expect(upward).toEqual([])
  })

  it('lists the rooms in package.json in floor order, each with its door', () => {
    const { imports } = JSON.parse(readText('package.json')) as { imports: Record<string, string> }
    const doors = plan.map(({ room }) => [`#${room}`, `./src/${room}/index.ts`])
    expect(Object.entries(imports)).toEqual([...doors, ['#config', './src/config.ts']])
  })

  it('lets a room import only the rooms below it that the plan names', () => {
    expect(faultsOf(sources, judgeRoom)).toEqual([])
  })

  it('lets nobody leave a room but through a door', () => {
    expect(faultsOf(sources, judgeRelative)).toEqual([])
  })

  it('lets packages and builtins of weight into the rooms that need them', () => {
    expect(faultsOf(sources, judgeOutside)).toEqual([])
  })

  it('keeps ciphers in the vault', () => {
    expect(faultsOf(sources, judgeCryptography)).toEqual([])
  })

  it('lets mappings be tables: they import nothing but each other and types of their reader', () => {
    expect(faultsOf(sourcesUnder('mappings'), judgeMapping)).toEqual([])
  })

  it('has one door per room, and none in sub-folders', () => {
    const doors = sources.map(file => file.path).filter(path => path.endsWith('/index.ts'))
    const expected = plan.map(({ room }) => `src/${room}/index.ts`)
    expect(doors.filter(path => !expected.includes(path))).toEqual([])
    const built = new Set(sources.map(file => file.place))
    expect(expected.filter(path => built.has(path.split('/')[1] ?? '') && !doors.includes(path))).toEqual([])
  })

  it('names files and folders in kebab-case after their subject', () => {
    const paths = [...filesUnder('src', '.ts'), ...filesUnder('test', '.ts')]
    expect(paths.filter(path => !isWellNamed(path))).toEqual([])
  })

  it('has no cycles between rooms, types included', () => {
    expect(cyclesOf(roomGraph(sources))).toEqual([])
  })

  it('has no cycles between files by value', () => {
    expect(cyclesOf(fileGraph(sources))).toEqual([])
  })
})

describe('the checks of the floors notice', () => {
  const faulty: readonly (readonly [path: string, code: string, judge: Judge, fault: string])[] = [
    ['src/fhir/x.ts', "import { seal } from '#vault'", judgeRoom, 'imports #vault; fhir may import kernel'],
    ['src/store/x.ts', "import type { Resource } from '#fhir'", judgeRoom, 'imports #fhir; store may import kernel'],
    ['src/store/x.ts', "let a: import('#fhir').Resource", judgeRoom, 'imports #fhir; store may import kernel'],
    ['src/http/x.ts', "export { a } from '#record'", judgeRoom, 'imports #record'],
    ['src/http/x.ts', "await import('#store')", judgeRoom, 'imports #store'],
    ['src/fhir/x.ts', "import '#kernel/problem.ts'", judgeRoom, 'reaches behind the door'],
    ['src/fhir/x.ts', "import { a } from '#fhir'", judgeRoom, 'enters its own room'],
    ['src/fhir/x.ts', "import { a } from '../kernel/ids.ts'", judgeRelative, 'leaves its room'],
    ['src/store/sqlite/x.ts', "import { a } from '../../storefront/x.ts'", judgeRelative, 'leaves its room'],
    ['src/fhir/x.ts', "import x from '../../test/house/plan.ts'", judgeRelative, 'leaves its room'],
    ['src/record/x.ts', "import express from 'express'", judgeOutside, 'imports express; only http may'],
    [
      'src/record/x.ts',
      "import x from '@scope/left-pad/deep'",
      judgeOutside,
      'imports @scope/left-pad, which has no row',
    ],
    [
      'src/record/x.ts',
      "import { DatabaseSync } from 'node:sqlite'",
      judgeOutside,
      'only ingest store terminology may',
    ],
    ['src/record/x.ts', 'await import(name)', judgeOutside, 'only running it would tell'],
    ['src/kernel/x.ts', "import { createCipheriv } from 'node:crypto'", judgeCryptography, 'uses createCipheriv'],
    ['src/kernel/x.ts', "import * as crypto from 'node:crypto'", judgeCryptography, 'uses * of node:crypto'],
    ['mappings/x.ts', "import { seal } from '#vault'", judgeMapping, 'imports #vault'],
  ]
  it.each(faulty)('%s: %s', (path, code, judge, fault) => {
    expect(faultsOf([parseSource(path, code)], judge)).toEqual([expect.stringContaining(fault)])
  })

  it('what is allowed', () => {
    const code = [
      "import { Problem } from '#kernel'",
      "import type { Store } from '../contract.ts'",
      "import { DatabaseSync } from 'node:sqlite'",
      "import { join } from 'node:path'",
    ]
    const file = parseSource('src/store/sqlite/x.ts', code.join('\n'))
    for (const judge of [judgeRoom, judgeRelative, judgeOutside, judgeCryptography])
      expect(faultsOf([file], judge)).toEqual([])
  })

  it('cycles, but not those of types alone', () => {
    const one = parseSource('src/fhir/a.ts', "import { b } from './b.ts'")
    const byValue = parseSource('src/fhir/b.ts', "import { c } from './a.ts'")
    const byType = parseSource('src/fhir/b.ts', "import type { C } from './a.ts'")
    expect(cyclesOf(fileGraph([one, byValue]))).toEqual([['src/fhir/a.ts', 'src/fhir/b.ts']])
    expect(cyclesOf(fileGraph([one, byType]))).toEqual([])
    const up = parseSource('src/fhir/a.ts', "import type { B } from '#store'")
    const down = parseSource('src/store/a.ts', "import type { B } from '#fhir'")
    expect(cyclesOf(roomGraph([up, down]))).toEqual([['fhir', 'store']])
  })

  it('names that say nothing', () => {
    const names = ['src/fhir/utils.ts', 'src/fhir/helpers/x.ts', 'src/fhir/date-helper.ts', 'src/fhir/readDate.ts']
    expect(names.filter(isWellNamed)).toEqual([])
    expect(isWellNamed('src/store/sqlite/group-commit.ts')).toBe(true)
  })
})
