import type { Actor } from '#access'
import { type Resource, toInstant } from '#fhir'
import type { Format } from './format.ts'

const participant = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type'

/** The one message that a run took in. */
export interface MessageSource {
  /** `ADT^A01^ADT_A01` */
  readonly kind: string
  /** Who answers for it: a Reference. */
  readonly sender: object
  /** What sent it: a Reference. */
  readonly application?: object
  /** dateTime */
  readonly sentAt?: string
}

export interface ProvenanceFacts {
  readonly id: string
  readonly patient: string
  readonly actor: Actor
  readonly format: Format
  readonly digest: string
  readonly atMs: number
  /** What the run wrote, when it is little enough to be listed. */
  readonly targets: readonly string[]
  readonly message?: MessageSource
}

/**
 * One Provenance for a run. A small run lists what it wrote; a large one points to the Patient alone, and each of its
 * resources points back with `meta.source`, which `_source` finds.
 */
export function provenanceOf(facts: ProvenanceFacts): Resource {
  const { actor, message } = facts
  return {
    resourceType: 'Provenance',
    target: [`Patient/${facts.patient}`, ...facts.targets].map(reference => ({ reference })),
    ...(message?.sentAt === undefined ? {} : { occurredDateTime: message.sentAt }),
    recorded: toInstant(facts.atMs),
    activity: {
      coding: [
        { system: 'http://terminology.hl7.org/CodeSystem/v3-DataOperation', code: 'CREATE' },
        ...(message === undefined ? [] : [{ display: `message - ${message.kind}` }]),
      ],
      text: `Import of a file: ${facts.format}`,
    },
    agent: [
      {
        type: { coding: [{ system: participant, code: 'enterer' }] },
        who: { display: actor.display ?? actor.kind },
      },
      { type: { coding: [{ system: participant, code: 'assembler' }] }, who: { display: 'Kinhold' } },
      ...(message === undefined
        ? []
        : [{ type: { coding: [{ system: participant, code: 'author' }] }, who: message.sender }]),
    ],
    entity: [
      { identifier: { system: 'urn:ietf:rfc:6920', value: `ni:///sha-256;${base64url(facts.digest)}` } },
      ...(message?.application === undefined ? [] : [message.application]),
    ].map(what => ({ role: 'source', what })),
  }
}

/** A file has a name that says what its bytes are: https://www.rfc-editor.org/rfc/rfc6920#section-3 */
function base64url(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url')
}
