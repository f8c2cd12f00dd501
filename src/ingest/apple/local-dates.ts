/** Languages of phones whose names of months are known; those of another one say nothing. */
const languages = ['en', 'de', 'es', 'fr', 'it', 'nl', 'pt', 'sv', 'da', 'nb', 'fi', 'pl', 'cs', 'hu', 'tr', 'ca', 'ro']
const twoDigits = (number: number): string => String(number).padStart(2, '0')

let months: ReadonlyMap<string, number> | undefined

/**
 * A day as a phone writes it in its language, `May 17, 1984` or `17. Mai 1984`, as `YYYY-MM-DD`. Undefined where it could be
 * another day: in numbers alone the order is only certain after a year, and with dots.
 */
export function parseLocalDate(text: string): string | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? []
  if (year !== undefined) return dayOf(year, Number(month), Number(day))
  const [, dottedDay, dottedMonth, dottedYear] = /^(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})$/.exec(text) ?? []
  if (dottedYear !== undefined) return dayOf(dottedYear, Number(dottedMonth), Number(dottedDay))
  return ofWords(text)
}

function ofWords(text: string): string | undefined {
  const numbers = text.match(/\d+/g) ?? []
  const [year, ...otherYears] = numbers.filter(number => number.length === 4)
  const [day, ...otherDays] = numbers.filter(number => number.length <= 2)
  const [month, ...otherMonths] = new Set(wordsOf(text).flatMap(word => monthsByName().get(word) ?? []))
  if (year === undefined || day === undefined || month === undefined) return undefined
  return otherYears.length + otherDays.length + otherMonths.length > 0 ? undefined : dayOf(year, month, Number(day))
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/\p{L}+/gu) ?? []
}

/** Names that mean two months in two languages mean none. */
function monthsByName(): ReadonlyMap<string, number> {
  if (months !== undefined) return months
  const meant = new Map<string, number | undefined>()
  for (const language of languages)
    for (const [name, month] of namesIn(language))
      meant.set(name, meant.has(name) && meant.get(name) !== month ? undefined : month)
  months = new Map([...meant].filter((entry): entry is [string, number] => entry[1] !== undefined))
  return months
}

function namesIn(language: string): readonly (readonly [string, number])[] {
  const formats = (['short', 'long'] as const).map(
    month => new Intl.DateTimeFormat(language, { month, day: 'numeric', timeZone: 'UTC' }),
  )
  return Array.from({ length: 12 }, (_, at) =>
    formats.flatMap(format => {
      const parts = format.formatToParts(Date.UTC(2000, at, 1))
      const name = wordsOf(parts.find(({ type }) => type === 'month')?.value ?? '')
      return name.map(word => [word, at + 1] as const)
    }),
  ).flat()
}

/** A day of the calendar, or none. */
function dayOf(year: string, month: number, day: number): string | undefined {
  const text = `${year}-${twoDigits(month)}-${twoDigits(day)}`
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text) ? text : undefined
}
