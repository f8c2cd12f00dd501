import { type House, hostGrant } from '../compose.ts'
import { output } from './output.ts'
import { reportLines } from './report.ts'
import { withHouse } from './with-house.ts'

type Letter = Awaited<ReturnType<House['ingest']['letters']['list']>>[number]
type SentAgain = Awaited<ReturnType<House['ingest']['letters']['resend']>>

/** What was refused and is kept, one a line: id, when it came last, how often, type, sender, for whom, why. */
export async function listLetters(): Promise<void> {
  const letters = await withHouse(house => house.ingest.letters.list(hostGrant()))
  for (const letter of letters) output.result(lineOf(letter))
  if (letters.length === 0) output.say('nothing that was refused is kept')
}

/** One of them as it came, a segment a line; the audit keeps that it was looked at. */
export async function showLetter(id: string): Promise<void> {
  const { letter, content } = await withHouse(house => house.ingest.letters.show(id, hostGrant()))
  output.say(lineOf(letter))
  output.result(content.toString('utf8').replaceAll(/\r\n?/g, '\n').trimEnd())
}

/** Sends them again, in the order in which they came; without names all of them. */
export async function resendLetters(
  ids: readonly string[],
  { all = false }: { readonly all?: boolean },
): Promise<void> {
  const left = await withHouse(async ({ ingest: { letters } }) => {
    const grant = hostGrant()
    const wanted = all ? (await letters.list(grant)).map(({ id }) => id) : ids
    let refused = 0
    for (const id of wanted) {
      const again = await letters.resend(id, grant)
      for (const line of linesOf(id, again)) output.result(line)
      if (again.state === 'refused') refused += 1
    }
    return refused
  })
  if (left > 0) output.say(`${left} refused again, and kept`)
}

/** Throws them away. */
export async function dropLetters(ids: readonly string[]): Promise<void> {
  await withHouse(async ({ ingest: { letters } }) => {
    for (const id of ids) await letters.drop(id, hostGrant())
  })
}

function linesOf(id: string, { state, ack, told }: SentAgain): readonly string[] {
  const errors = (ack ?? '').split('\r').filter(segment => segment.startsWith('ERR'))
  return [`${id}\t${state}`, ...errors, ...(told === undefined ? [] : reportLines(told.report))]
}

function lineOf({ id, lastAtMs, times, type, sender, keeper, refusal }: Letter): string {
  const { code, text, expression = [] } = refusal
  const why = [code, ...expression].join(' ')
  return [id, new Date(lastAtMs).toISOString(), `${times}×`, type, sender, keeper, why, text].join('\t')
}
