import { withSection } from './figures.ts'

describe('the figures that are kept', () => {
  it('are those of the last run of each goal, in the order of their numbers', () => {
    const first = withSection('', 'R12', ['twelve'])
    const both = withSection(first, 'R3', ['three', '', '| what |'])
    const again = withSection(both, 'R12', ['twelve again'])
    expect(again.match(/^## .*\n.*/gm)).toEqual(['## R3\nthree', '## R12\ntwelve again'])
    expect(withSection(again, 'R12', ['twelve again'])).toBe(again)
  })
})
