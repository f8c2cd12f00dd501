import type { Resource } from '#fhir'

type Element = Readonly<Record<string, unknown>>

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => escapes[character] ?? '')
}

function elementOf(value: unknown): Element {
  return typeof value === 'object' && value !== null ? (value as Element) : {}
}

function listOf(value: unknown): readonly Element[] {
  return (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(elementOf)
}

/** The first of a resource's members of these names. */
function firstOf(resource: Element, names: readonly string[]): unknown {
  return names.map(name => resource[name]).find(value => value !== undefined)
}

/** A CodeableConcept, as people read it. */
function conceptText(value: unknown): string | undefined {
  const { text, coding } = elementOf(value)
  if (typeof text === 'string') return text
  const shown = listOf(coding).find(({ display, code }) => display !== undefined || code !== undefined)
  return shown === undefined ? undefined : String(shown.display ?? shown.code)
}

function quantityText(value: unknown): string | undefined {
  const { value: amount, comparator = '', unit, code } = elementOf(value)
  return amount === undefined ? undefined : `${comparator}${amount} ${unit ?? code ?? ''}`.trim()
}

function ratioText(value: unknown): string {
  const { numerator, denominator } = elementOf(value)
  return `${quantityText(numerator) ?? ''} / ${quantityText(denominator) ?? ''}`
}

function periodText(value: unknown): string {
  const { start, end } = elementOf(value)
  return `${start ?? ''} – ${end ?? ''}`
}

function rangeText(value: unknown): string {
  const { low, high } = elementOf(value)
  return `${quantityText(low) ?? ''} – ${quantityText(high) ?? ''}`
}

/** How values are written, by the end of the member's name. Others are left to the resource itself. */
const valueTexts: readonly (readonly [suffix: string, text: (value: unknown) => string | undefined])[] = [
  ['Quantity', quantityText],
  ['Age', quantityText],
  ['CodeableConcept', conceptText],
  ['Ratio', ratioText],
  ['Range', rangeText],
  ['Period', periodText],
  ['String', String],
  ['Integer', String],
  ['DateTime', String],
  ['Time', String],
  ['Boolean', value => (value === true ? 'yes' : 'no')],
]

/** The choice element `name[x]`, whichever of its types is there. */
function choiceText(resource: Element, name: string): string | undefined {
  for (const [suffix, text] of valueTexts) {
    const value = resource[`${name}${suffix}`]
    if (value !== undefined) return text(value)
  }
  return undefined
}

/** Finds what a reference leads to within the document. */
export type Resolve = (reference: string) => Resource | undefined

function referenceText(value: unknown, resolve: Resolve): string | undefined {
  const { display, reference } = elementOf(value)
  if (typeof display === 'string') return display
  const target = typeof reference === 'string' ? resolve(reference) : undefined
  return target === undefined ? undefined : titleOf(target, resolve)
}

const naming = ['code', 'vaccineCode', 'medicationCodeableConcept', 'type', 'category'] as const
const leading = ['medicationReference', 'device', 'medication'] as const

/** What a resource is about, in a few words. */
function titleOf(resource: Element, resolve: Resolve): string {
  for (const name of naming) {
    const text = listOf(resource[name]).map(conceptText).find(Boolean)
    if (text !== undefined) return text
  }
  for (const name of leading) {
    const text = referenceText(resource[name], resolve)
    if (text !== undefined) return text
  }
  const text = firstOf(resource, ['title', 'description', 'summary'])
  return typeof text === 'string' ? text : ''
}

const choices = ['effective', 'onset', 'performed', 'occurrence', 'timing'] as const
const dates = ['authoredOn', 'recordedDate', 'issued', 'date', 'dateTime', 'dateAsserted', 'recordedOn'] as const

function whenOf(resource: Element): string {
  for (const name of choices) {
    const text = choiceText(resource, name)
    if (text !== undefined) return text
  }
  const date = firstOf(resource, dates)
  if (typeof date === 'string') return date
  return resource.period === undefined ? '' : periodText(resource.period)
}

function componentText(component: Element): string | undefined {
  const value = choiceText(component, 'value')
  return value === undefined ? undefined : `${conceptText(component.code) ?? ''} ${value}`.trim()
}

function reactionText({ manifestation }: Element): string {
  return listOf(manifestation).map(conceptText).filter(Boolean).join(', ')
}

function doseText({ text, patientInstruction, doseAndRate }: Element): string | undefined {
  if (typeof text === 'string') return text
  const [dose] = listOf(doseAndRate).map(each => choiceText(each, 'dose'))
  return typeof patientInstruction === 'string' ? patientInstruction : dose
}

/** What else a line says: values, doses, reactions, how sure and how grave it is. */
function detailsOf(resource: Element): string {
  const texts = [
    choiceText(resource, 'value'),
    ...listOf(resource.component).map(componentText),
    ...listOf(resource.dosage ?? resource.dosageInstruction).map(doseText),
    ...listOf(resource.reaction).map(reactionText),
    ...[resource.criticality, resource.conclusion].map(value => (typeof value === 'string' ? value : undefined)),
    ...[resource.severity, resource.clinicalStatus].map(conceptText),
    ...listOf(resource.interpretation).map(conceptText),
    ...listOf(resource.note).map(({ text }) => (typeof text === 'string' ? text : undefined)),
  ]
  return texts.filter(text => text !== undefined && text !== '').join('; ')
}

function div(content: string): string {
  return `<div xmlns="http://www.w3.org/1999/xhtml">${content}</div>`
}

/** A narrative that is one sentence. */
export function sentence(text: string): { status: string; div: string } {
  return { status: 'generated', div: div(`<p>${escaped(text)}</p>`) }
}

/** A narrative with a line for each resource; every value is escaped. https://hl7.org/fhir/R4/narrative.html */
export function tableOf(resources: readonly Resource[], resolve: Resolve): { status: string; div: string } {
  const rows = resources.map(resource => {
    const cells = [titleOf(resource, resolve), whenOf(resource), detailsOf(resource)]
    return `<tr>${cells.map(cell => `<td>${escaped(cell)}</td>`).join('')}</tr>`
  })
  const head = '<thead><tr><th>What</th><th>When</th><th>Details</th></tr></thead>'
  return { status: 'generated', div: div(`<table>${head}<tbody>${rows.join('')}</tbody></table>`) }
}
