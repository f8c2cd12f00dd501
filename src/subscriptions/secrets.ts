import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import { nameOf } from './read-wanted.ts'

/** What stands in place of a header's value wherever a Subscription can be read. */
const withheld = '(withheld)'

interface WithHeaders {
  readonly header?: readonly string[]
}

/** The resource as it is kept: header values are secrets, and lie sealed beside it. */
export function withoutSecrets(resource: Resource): Resource {
  const channel = resource.channel as WithHeaders | undefined
  if (channel?.header === undefined) return resource
  return { ...resource, channel: { ...channel, header: channel.header.map(withholding) } }
}

/** What has no name may be all secret. */
function withholding(line: string): string {
  return line.includes(':') ? `${nameOf(line)}: ${withheld}` : withheld
}

/**
 * The header lines that were sent, with the values that are kept already in place of those that their sender was not shown.
 *
 * @throws Problem `unprocessable` · `subscription.header-malformed` where there is nothing to put in place
 */
export function withSecrets(lines: readonly string[], kept: readonly string[]): readonly string[] {
  const unused = [...kept]
  return lines.map(line => {
    if (!line.endsWith(`: ${withheld}`)) return line
    const at = unused.findIndex(each => nameOf(each).toLowerCase() === nameOf(line).toLowerCase())
    const [own] = at < 0 ? [] : unused.splice(at, 1)
    if (own !== undefined) return own
    throw new Problem(
      'unprocessable',
      'subscription.header-malformed',
      'A header stands for a value that is not kept here.',
      {
        expression: 'Subscription.channel.header',
      },
    )
  })
}
