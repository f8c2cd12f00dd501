import { read, sample, warningsOf } from './ccda-documents.ts'

/** What of an entry stands in the document alone: what a template has fixed, and numbers and words of a part whose value is taken. */
const technical =
  /(?:^|\.)(?:section\.(?:code|title|text|list|table)|(?:act|observation|organizer)\.code|administrativeGenderCode|entryRelationship\.observation\.(?:id|value)|participantRole\.code)$/

interface Marked {
  readonly text: string
  /** Where each mark stands: the last names that lead to it. */
  readonly places: ReadonlyMap<string, string>
}

/** A document of which each name, number and text is another one. */
function marked(document: string): Marked {
  const places = new Map<string, string>()
  const open: string[] = []
  const plain = document.replace(/<!--[\s\S]*?-->/g, '')
  const text = plain.replace(/<(\/?)([\w:]+)([^>]*?)(\/?)>([^<]*)/g, (all, end, name, attributes, self, behind) => {
    if (end !== '') {
      open.pop()
      return all
    }
    open.push(name.replace(/^\w+:/, ''))
    const mark = () => {
      const one = `m${places.size}x`
      places.set(one, open.slice(-4).join('.'))
      return one
    }
    const isFixed = /templateId|typeId/.test(name)
    const given = attributes.replace(/(displayName|extension)="[^"]*"/g, (same: string, key: string) =>
      isFixed ? same : `${key}="${mark()}"`,
    )
    const words = self === '' && /\S/.test(behind) ? mark() : behind
    if (self !== '') open.pop()
    return `<${name}${given}${self}>${words}`
  })
  return { text, places }
}

describe('nothing of an entry is lost in silence', () => {
  it.each(['ccd.xml', 'operative-note.xml'])(
    '%s: each name, number and text is kept, or its place is named',
    async name => {
      const { text, places } = marked(sample(name).toString('utf8'))
      const outcomes = await read(text)
      const kept = outcomes.map(one => {
        if (one.kind === 'amend') return JSON.stringify(one.change({ resourceType: 'Patient' }))
        return one.kind === 'mapped' && one.resource.resourceType !== 'Binary' ? JSON.stringify(one.resource) : ''
      })
      const words = new Set(kept.join(' ').match(/m\d+x/g))
      const told = warningsOf(outcomes)
      const isTold = (place: string) => told.some(one => place === one || place.endsWith(`.${one}`))
      const isNarrative = (place: string) =>
        /(?:^|\.)(?:text|table|thead|tbody|tr|td|th|list|item|content|paragraph)(?:\.|$)/.test(place)
      const lost = [...places].filter(([mark, place]) => !words.has(mark) && !isTold(place) && !isNarrative(place))
      expect([...new Set(lost.map(([, place]) => place).filter(place => !technical.test(place)))]).toEqual([])
      expect(places.size).toBeGreaterThan(100)
    },
  )
})
