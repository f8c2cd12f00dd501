import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readText, root } from './source.ts'

/** The tests that a text names, as paths from the root. */
function testsNamedIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path))]
}

/** The numbers of the attacks of a table whose first column holds `A7` or `A1–A4`, several of them by commas. */
function numbersIn(table: string): readonly number[] {
  return [...table.matchAll(/^\| (A[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    cell.split(', ').flatMap(part => {
      const [first = 0, last = first] = [...part.matchAll(/A(\d+)/g)].map(([, digits]) => Number(digits))
      return Array.from({ length: last - first + 1 }, (_, at) => first + at)
    }),
  )
}

const model = readText('docs/threat-model.md')
const section = (title: string) => model.split(/^## /m).find(part => part.startsWith(title)) ?? ''

describe('docs/threat-model.md', () => {
  it('names tests that exist', () => {
    expect(testsNamedIn(model).length).toBeGreaterThan(40)
    expect(testsNamedIn(model).filter(path => !existsSync(join(root, path)))).toEqual([])
  })

  it('has a test for every promise', () => {
    const promises = section('What is promised')
      .split('\n')
      .filter(line => line.startsWith('|'))
      .slice(2)
    expect(promises.length).toBeGreaterThan(15)
    expect(promises.filter(line => testsNamedIn(line).length === 0)).toEqual([])
  })

  it('lists every attack once, each with a test or as not offered', () => {
    const catalogue = section('The catalogue')
    const numbers = numbersIn(catalogue)
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1))
    const rows = catalogue.split('\n').filter(line => /^\| A\d/.test(line))
    expect(rows.filter(row => testsNamedIn(row).length === 0 && !row.includes('not offered'))).toEqual([])
  })

  it('is held by tests that say which attack they make', () => {
    const named = testsNamedIn(section('The catalogue')).filter(path => path.includes('/attacks/'))
    for (const path of named) expect(readText(path)).toMatch(/\bA\d+\b/)
  })
})

describe('the check of the threat model notices', () => {
  it('the numbers of every way to write them', () => {
    expect(numbersIn('| A1–A4 | x | y |\n| A67, A80 | x | y |\n| A9 | x | y |\n| x | A5 | y |')).toEqual([
      1, 2, 3, 4, 67, 80, 9,
    ])
  })
})
