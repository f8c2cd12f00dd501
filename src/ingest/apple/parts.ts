import type { CodeableConcept } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import type { Component } from './details.ts'
import { rejected } from './observation.ts'
import { readQuantity } from './quantity.ts'
import type { QuantityType } from './tables.ts'

/** A value with its unit, as attributes give them, and what it is a value of. */
interface PartValue {
  readonly type: QuantityType
  /** The type's own where it is not given. */
  readonly code?: CodeableConcept
  readonly value: string | undefined
  readonly unit: string | undefined
}

/** The components of one Observation; what cannot be read becomes an outcome of its own, so that nothing is lost unsaid. */
export class Parts {
  readonly components: Component[] = []
  readonly outcomes: Outcome[] = []

  /** @param row  the name under which a value that cannot be read is reported */
  quantity(row: string, { type, code, value, unit }: PartValue): void {
    if (value === undefined || value === '') return
    const reading = readQuantity(type, value, unit, row)
    if ('quantity' in reading) this.components.push({ code: code ?? type.code, valueQuantity: reading.quantity })
    else this.outcomes.push(rejected(row, reading.reason, reading.expression))
  }
}
