import fc from 'fast-check'
import { documentOf, entry, loinc, section, snomed, template } from './ccda-documents.ts'
import type { GeneratedRow } from './generated-files.ts'

type Kind = (n: number, word: string) => { readonly text: string; readonly said?: boolean }

const id = (n: number) => `<id root="1.2.3.9" extension="${n}"/>`
const done = '<statusCode code="completed"/>'
const observation = (templateId: string, inner: string, attributes = '') =>
  `<observation classCode="OBS" moodCode="EVN" ${attributes}>${template(templateId)}${inner}</observation>`
const text = (word: string) => `<value xsi:type="ST">${word}</value>`
const related = (statement: string) => `<entryRelationship typeCode="SUBJ">${statement}</entryRelationship>`
const problem = (n: number, word: string, attributes = '') =>
  observation('4.4', `${id(n)}<code code="ASSERTION"/>${done}${snomed('195967001', word)}`, attributes)

/** Entries of every kind, well and badly made. */
const kinds: readonly Kind[] = [
  (n, word) => ({ text: observation('4.2', `${id(n)}${loinc('2093-3')}${done}${text(word)}`), said: true }),
  (_, word) => ({ text: observation('4.2', `${loinc('2093-3')}${text(word)}`), said: true }),
  (n, word) => ({
    text: observation('4.2', `${id(n)}${loinc('2093-3')}${text(word)}`, 'negationInd="true"'),
    said: true,
  }),
  (_, word) => ({ text: observation('9.9.9.9.9', text(word)), said: true }),
  (n, word) => ({
    text: `<act moodCode="EVN">${template('4.3')}${id(n)}${related(problem(n, word))}</act>`,
    said: true,
  }),
  (n, word) => ({
    text: `<act moodCode="EVN">${template('4.3')}${related(problem(n, word, 'negationInd="true"'))}</act>`,
    said: true,
  }),
  (n, word) => ({
    text: `<act moodCode="EVN">${template('4.30')}${related(observation('4.7', `${id(n)}<code code="ASSERTION"/><participant typeCode="CSM"><participantRole><playingEntity><name>${word}</name></playingEntity></participantRole></participant>`))}</act>`,
    said: true,
  }),
  (n, word) => ({
    text: `<organizer moodCode="EVN">${template('4.1')}${id(n)}${done}<component>${observation('4.2', `${loinc('2093-3')}${text(word)}`)}</component></organizer>`,
    said: true,
  }),
  (n, word) => ({
    text: `<act moodCode="EVN">${template('4.202')}${id(n)}<code code="34109-9"/><text>${word}</text><effectiveTime value="2024"/></act>`,
  }),
  n => ({ text: observation('4.2', `${id(n)}${loinc('2093-3')}<subject><relatedSubject/></subject>${text('x')}`) }),
  () => ({ text: observation('4.121', loinc('29463-7'), 'negationInd="true"') }),
  () => ({ text: '<act nullFlavor="NI" moodCode="EVN"/>' }),
  () => ({ text: '<observationMedia><value/></observationMedia>' }),
  () => ({ text: '<unheard/>' }),
  () => ({ text: '' }),
  n => ({
    text: observation('4.2', `${id(n)}<code/><value xsi:type="PQ" value="many"/><effectiveTime value="99999999"/>`),
  }),
  n => ({
    text: `<substanceAdministration moodCode="EVN">${template('4.16')}${id(n)}<effectiveTime/><doseQuantity value="-"/></substanceAdministration>`,
  }),
  () => ({ text: `<organizer moodCode="EVN">${template('4.26')}</organizer>` }),
]

/** The entries of a section; each is one row. */
export const documentEntries: fc.Arbitrary<readonly GeneratedRow[]> = fc
  .array(fc.tuple(fc.nat(kinds.length - 1), fc.boolean()), { minLength: 1, maxLength: 20 })
  .map(of =>
    of.flatMap(([kind, twice], n) => {
      const made = kinds[kind]?.(n, `w${n}-`)
      if (made === undefined) return []
      const row = { text: entry(made.text), ...(made.said === true ? { said: `w${n}-` } : {}) }
      return twice ? [row, { text: row.text }] : [row]
    }),
  )

/** A document about nobody in particular. */
export const entriesOf = (of: readonly GeneratedRow[]): string =>
  documentOf(section('2.3.1', of.map(({ text }) => text).join('\n')), {
    target: '<recordTarget><patientRole><id nullFlavor="NI"/></patientRole></recordTarget>',
  })
