import { parseScope } from '#access'
import { Problem } from '#kernel'
import { checkKept } from '../compose.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { withGate } from './with-house.ts'

const unitsMs: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const longestMs = 365 * 86_400_000

/** `90s`, `15m`, `1h`, `30d` in milliseconds. @throws Problem `invalid` · `command.ttl-malformed` */
export function parseTtl(text: string): number {
  const match = /^([1-9][0-9]{0,6})([smhd])$/.exec(text)
  const ms = match === null ? Number.NaN : Number(match[1]) * (unitsMs[match[2] ?? ''] ?? Number.NaN)
  if (!(ms <= longestMs))
    throw new Problem(
      'invalid',
      'command.ttl-malformed',
      `A time to live is a number and s, m, h or d: 15m, at most 365d; this one is not: ${text}`,
    )
  return ms
}

/** Mints an access token for whoever can run commands on this host; it stands alone on the last line. */
export async function token(options: { scope: string; patient?: string; ttl: string }): Promise<void> {
  const { scope, patient } = options
  const ttlMs = parseTtl(options.ttl)
  const minted = await withGate(gate =>
    naming(scopesMeant(scope), /^smart\.mint-scope/, async () => {
      if (patient === undefined) return gate.smart.mint({ scope, ttlMs })
      await naming(`${patient} (patient list shows the ids)`, /^command\.patient-absent$/, () =>
        checkKept(gate.record, patient),
      )
      return gate.smart.mint({ scope, ttlMs, patient })
    }),
  )
  output.result(minted)
}

/** The scopes at which a refusal points: those that are none, or else all that were typed. */
function scopesMeant(scope: string): string {
  const typed = scope.split(' ').filter(text => text !== '')
  const wrong = typed.filter(text => parseScope(text) === undefined)
  return (wrong.length > 0 ? wrong : typed).join(' ') || '(none was given)'
}
