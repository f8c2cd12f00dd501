/** What security labels include. https://hl7.org/fhir/R4/security-labels.html */

interface Label {
  readonly system?: unknown
  readonly code?: unknown
}

const confidentiality = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
const sensitivity = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'

/** Each with what is stricter. Less strict than these is what most resources are, which have no label. */
const stricter: Readonly<Record<string, readonly string[]>> = { R: ['V'], V: [] }

/**
 * Kinds of sensitivity that are a kind of another one.
 *
 * @see https://terminology.hl7.org/CodeSystem-v3-ActCode.html under _ActInformationSensitivityPolicy
 */
const narrower: Readonly<Record<string, readonly string[]>> = {
  SPI: ['BH', 'COGN', 'DVD', 'EMOTDIS', 'MH', 'PSY', 'PSYTHPN', 'SUD', 'ETHUD', 'OPIOIDUD'],
  BH: ['COGN', 'DVD', 'EMOTDIS', 'MH', 'PSY', 'PSYTHPN', 'SUD', 'ETHUD', 'OPIOIDUD'],
  MH: ['PSY', 'PSYTHPN'],
  SUD: ['ETHUD', 'OPIOIDUD'],
  ETH: ['SUD', 'ETHUD', 'OPIOIDUD'],
}

/** Of a degree of confidentiality those that are stricter; `unclear` for one that unlabelled resources may have; undefined for other labels. */
export function stricterThan({ system, code }: Label): readonly Required<Label>[] | 'unclear' | undefined {
  if (system !== confidentiality) return undefined
  if (typeof code !== 'string' || !Object.hasOwn(stricter, code)) return 'unclear'
  return (stricter[code] ?? []).map(each => ({ system, code: each }))
}

/** Whatever is a kind of a sensitivity, itself left out. */
export function withNarrower({ system, code }: Label): readonly Required<Label>[] {
  if (system !== sensitivity || typeof code !== 'string' || !Object.hasOwn(narrower, code)) return []
  return (narrower[code] ?? []).map(each => ({ system, code: each }))
}
