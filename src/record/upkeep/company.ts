/** The processes that serve one house together, as the record needs to know them. */
export interface Company {
  /** Whether it is this one that looks after what is everybody's; exactly one does. */
  leads(): boolean
  /** Whether another one has found something that is not as it was written. */
  isAlarmed(): boolean
}

/** No other process. */
export const alone: Company = { leads: () => true, isAlarmed: () => false }

/**
 * Whether this process is to go through everything. What one has found each of them looks for by itself: it must refuse what cannot be
 * believed, whoever was the first to see it.
 */
export const examines = (company: Company): boolean => company.leads() || company.isAlarmed()
