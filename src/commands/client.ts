import { naming } from './naming.ts'
import { output } from './output.ts'
import { withGate } from './with-house.ts'

const absent = /^smart\.client-absent$/

/** The registered apps, one a line: id, how it stands, its name as it calls itself, and its `system/` scopes. */
export async function listClients(): Promise<void> {
  for (const client of await withGate(({ smart }) => smart.listClients())) {
    const { id, name, isBackend, wantedScope, approvedScope, permissions } = client
    const waits = isBackend && approvedScope === undefined
    const state = waits ? `waits for: ${wantedScope}` : (approvedScope ?? `let in by ${permissions}`)
    output.result([id, isBackend ? 'backend' : 'app', state, `"${name}" (unverified)`].join('\t'))
  }
}

/** Lets an app with its own key act without a person, within the `system/` scopes that it registered for, or narrower ones. */
export async function approveClient({ client, scope }: { client: string; scope?: string }): Promise<void> {
  const approved = await withGate(({ smart }) =>
    naming(client, absent, () =>
      naming(scope ?? client, /^smart\.approval-malformed$/, () => smart.approveClient(client, scope)),
    ),
  )
  output.result(approved)
}

/** Ends an app: its registration, what people allowed it, and its tokens. */
export async function endClient({ client }: { client: string }): Promise<void> {
  await withGate(({ smart }) => naming(client, absent, () => smart.endClient(client)))
  output.say('ended')
}
