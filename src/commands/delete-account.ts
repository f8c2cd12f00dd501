import { Problem } from '#kernel'
import { confirm } from './ask.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { withGate, withHouse } from './with-house.ts'

const ofName = /^(smart\.(account|deletion)-|command\.deletion-)/

interface Delete {
  readonly name: string
  readonly now?: boolean
  readonly takeBack?: boolean
  readonly yes?: boolean
}

const fateWords = {
  stays: 'stays with whoever else keeps it in their own right, or by whose invitation',
  given: 'stays: a guardian keeps it in their own right',
  erased: 'is erased: nobody else could decide about it',
} as const

/** Deletes an account after the time of waiting, or now; or takes that back. */
export async function deleteAccount({ name, now = false, takeBack = false, yes = false }: Delete): Promise<void> {
  if (takeBack && now) throw new Problem('invalid', 'command.deletion-unclear', 'Either --now or --take-back.')
  if (takeBack) return keepAccount(name)
  await withHouse(({ smart }) =>
    naming(name, ofName, async () => {
      for (const [patient, fate] of await smart.fatesOf(name, { isNow: now }))
        output.say(`Patient/${patient} ${fateWords[fate]}.`)
      output.say('What the account keeps for its household is erased; its links, apps, tokens and imports end.')
      const when = now ? 'now' : 'after the time of waiting'
      if (!yes) await confirm(`Type the name of the account to delete it ${when}:`, name)
      const dueAtMs = await smart.deleteAccount(name, { isNow: now })
      if (now) {
        checkDeleted(await smart.listDeletions(), name)
        return output.say('The account was deleted.')
      }
      output.say('It is deleted by the server, once it runs, after:')
      output.result(new Date(dueAtMs).toISOString())
    }),
  )
}

/** @throws Problem `busy` · `command.deletion-waits` where the account is still among those that wait */
export function checkDeleted(waiting: readonly { readonly name: string }[], name: string): void {
  if (waiting.some(each => each.name === name)) {
    const text = 'Something stands in the way at the moment: whoever serves the house goes on with it.'
    throw new Problem('busy', 'command.deletion-waits', text)
  }
}

async function keepAccount(name: string): Promise<void> {
  const isKept = await withGate(({ smart }) => naming(name, ofName, () => smart.keepAccount(name)))
  output.say(isKept ? 'The account stays.' : 'There is nothing to take back.')
}

/** The accounts that wait to be deleted, one a line: id, state, when it was asked and when it is due; the name where it is asked for. */
export async function listDeletions({ names }: { names?: boolean }): Promise<void> {
  for (const { id, state, askedAtMs, dueAtMs, name } of await withGate(({ smart }) => smart.listDeletions())) {
    const [asked, due] = [askedAtMs, dueAtMs].map(ms => new Date(ms).toISOString())
    output.result([id, state, asked, due, ...(names === true ? [name] : [])].join('\t'))
  }
}
