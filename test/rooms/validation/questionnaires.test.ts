import { parseResource, printJson } from '#fhir'
import { isProblem } from '#kernel'
import { judgeByProfiles } from '#validation'

const core = 'http://hl7.org/fhir/StructureDefinition/'
const sdc = 'http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-'
const url = 'http://example.org/Questionnaire/q'
const system = 'http://example.org/cs'
const ucum = 'http://unitsofmeasure.org'

type Items = readonly object[]

const ask = (linkId: string, type: string, more: object = {}) => ({ linkId, type, ...more })
const give = (linkId: string, ...values: readonly object[]) => ({ linkId, answer: values })
const text = (valueString: string, more: object = {}) => ({ valueString, ...more })
const coding = (code: string, more: object = {}) => ({ valueCoding: { system, code, ...more } })
const say = (extension: string, value: object) => ({
  url: extension.startsWith('http') ? extension : core + extension,
  ...value,
})
const when = (question: string, operator: string, answer: object) => ({ question, operator, ...answer })

const questionnaire = (item: Items, more: object = {}) => ({
  resourceType: 'Questionnaire',
  url,
  status: 'active',
  item,
  ...more,
})
const response = (item: Items, more: object = {}) => ({
  resourceType: 'QuestionnaireResponse',
  questionnaire: url,
  status: 'completed',
  item,
  ...more,
})

async function judged(sent: object, ...kept: readonly { readonly url: string }[]): Promise<readonly string[]> {
  const question = {
    asked: [],
    kept: kept.map(each => ({ canonical: each.url, text: JSON.stringify(each) })),
    extent: 'warnings-too' as const,
  }
  const issues = await judgeByProfiles(parseResource(printJson(sent)), question, 'owner')
  return issues.map(({ severity, expression }) =>
    `${severity} ${expression?.replace(/^QuestionnaireResponse(?=\.item)\./, '')}`.trim(),
  )
}

type Row = readonly [name: string, asked: Items, right: Items, wrong: Items, ...told: string[]]

const sample: Readonly<Record<string, object>> = {
  boolean: { valueBoolean: true },
  decimal: { valueDecimal: 1.5 },
  integer: { valueInteger: 1 },
  date: { valueDate: '2020-01-01' },
  dateTime: { valueDateTime: '2020-01-01' },
  time: { valueTime: '10:00:00' },
  string: text('a'),
  text: text('a'),
  url: { valueUri: 'http://example.org/a' },
  attachment: { valueAttachment: { title: 'a' } },
  reference: { valueReference: { reference: 'Patient/1' } },
  quantity: { valueQuantity: { value: 1 } },
  choice: coding('a'),
}

/** https://hl7.org/fhir/R4/valueset-item-type.html */
const types: readonly Row[] = Object.entries(sample).map(([type, value]) => [
  `type ${type}`,
  [ask('1', type)],
  [give('1', value)],
  [give('1', type === 'boolean' ? text('true') : { valueBoolean: true })],
  'error item[0].answer[0]',
])

/** https://hl7.org/fhir/R4/questionnaireresponse.html and https://hl7.org/fhir/R4/questionnaire-definitions.html */
const places: readonly Row[] = [
  [
    'items that are not asked',
    [ask('1', 'string')],
    [give('1', text('a'))],
    [give('2', text('a'))],
    'error item[0].linkId',
  ],
  [
    'items elsewhere',
    [ask('g', 'group', { item: [ask('1', 'string')] })],
    [{ linkId: 'g', item: [give('1', text('a'))] }],
    [give('1', text('a'))],
    'error item[0].linkId',
  ],
  [
    'the order of items',
    [ask('1', 'string'), ask('2', 'string')],
    [give('1', text('a')), give('2', text('a'))],
    [give('2', text('a')), give('1', text('a'))],
    'error item[1]',
  ],
  ['required', [ask('1', 'string', { required: true })], [give('1', text('a'))], [], 'error item'],
  [
    'required, and there without an answer',
    [ask('1', 'string', { required: true })],
    [give('1', text('a'))],
    [{ linkId: '1' }],
    'error item',
  ],
  [
    'required in a group that is there',
    [ask('g', 'group', { item: [ask('1', 'string', { required: true }), ask('2', 'string')] })],
    [],
    [{ linkId: 'g', item: [give('2', text('a'))] }],
    'error item[0].item',
  ],
  [
    'a required group',
    [ask('g', 'group', { required: true, item: [ask('1', 'string')] })],
    [{ linkId: 'g', item: [give('1', text('a'))] }],
    [{ linkId: 'g' }],
    'error item',
  ],
  [
    'one answer',
    [ask('1', 'string'), ask('2', 'string', { repeats: true })],
    [give('1', text('a')), give('2', text('a'), text('b'))],
    [give('1', text('a'), text('b'))],
    'error item[0].answer[1]',
  ],
  [
    'one item',
    [
      ask('g', 'group', { item: [ask('1', 'string')] }),
      ask('h', 'group', { repeats: true, item: [ask('2', 'string')] }),
    ],
    [
      { linkId: 'g', item: [give('1', text('a'))] },
      { linkId: 'h', item: [give('2', text('a'))] },
      { linkId: 'h', item: [give('2', text('b'))] },
    ],
    [
      { linkId: 'g', item: [give('1', text('a'))] },
      { linkId: 'g', item: [give('1', text('b'))] },
    ],
    'error item[1]',
  ],
  [
    'groups without answers',
    [ask('g', 'group', { item: [ask('1', 'string')] })],
    [{ linkId: 'g', item: [give('1', text('a'))] }],
    [give('g', text('a'))],
    'error item[0].answer',
  ],
  ['displays without answers', [ask('d', 'display')], [{ linkId: 'd' }], [give('d', text('a'))], 'error item[0]'],
  [
    'items within an answer',
    [ask('1', 'boolean', { item: [ask('1.1', 'string')] })],
    [give('1', { valueBoolean: true, item: [give('1.1', text('a'))] })],
    [{ linkId: '1', item: [give('1.1', text('a'))] }],
    'error item[0].item',
  ],
  [
    'what is within an answer',
    [ask('1', 'boolean', { item: [ask('1.1', 'string', { required: true })] })],
    [give('1', { valueBoolean: true, item: [give('1.1', text('a'))] })],
    [give('1', { valueBoolean: true })],
    'error item[0].answer[0].item',
  ],
]

const options = [{ valueCoding: { system, code: 'a' } }, { valueCoding: { system, code: 'b' } }]
const gender = 'http://hl7.org/fhir/ValueSet/administrative-gender'
const genderOf = (code: string) => ({ valueCoding: { system: 'http://hl7.org/fhir/administrative-gender', code } })

const choices: readonly Row[] = [
  [
    'options',
    [ask('1', 'choice', { answerOption: options })],
    [give('1', coding('a'))],
    [give('1', coding('c'))],
    'error item[0].answer[0]',
  ],
  [
    'options of another system',
    [ask('1', 'choice', { answerOption: options })],
    [give('1', coding('b'))],
    [give('1', coding('a', { system: 'http://example.org/other' }))],
    'error item[0].answer[0]',
  ],
  [
    'text where a choice is closed',
    [ask('1', 'choice', { answerOption: options })],
    [],
    [give('1', text('c'))],
    'error item[0].answer[0]',
  ],
  [
    'text where a choice is open',
    [ask('1', 'open-choice', { answerOption: options })],
    [give('1', text('c'))],
    [give('1', coding('c'))],
    'error item[0].answer[0]',
  ],
  [
    'options that are numbers',
    [ask('1', 'choice', { answerOption: [{ valueInteger: 1 }, { valueInteger: 2 }] })],
    [give('1', { valueInteger: 2 })],
    [give('1', { valueInteger: 3 })],
    'error item[0].answer[0]',
  ],
  ...(['valueTime', 'valueDate', 'valueString'] as const).map((name): Row => {
    const [one, other] = {
      valueTime: ['10:00:00', '11:00:00'],
      valueDate: ['2020-01-01', '2020-01-02'],
      valueString: ['a', 'b'],
    }[name]
    return [
      `options of ${name}`,
      [ask('1', name.slice(5).toLowerCase(), { answerOption: [{ [name]: one }] })],
      [give('1', { [name]: one })],
      [give('1', { [name]: other })],
      'error item[0].answer[0]',
    ]
  }),
  [
    'an option that goes with no other',
    [
      ask('1', 'choice', {
        repeats: true,
        answerOption: [
          ...options,
          { ...coding('none'), extension: [say('questionnaire-optionExclusive', { valueBoolean: true })] },
        ],
      }),
    ],
    [give('1', coding('none'))],
    [give('1', coding('none'), coding('a'))],
    'error item[0].answer[0]',
  ],
  [
    'a value set',
    [ask('1', 'choice', { answerValueSet: gender })],
    [give('1', genderOf('male'))],
    [give('1', genderOf('x'))],
    'error item[0].answer[0]',
  ],
  [
    'a value set of an open choice',
    [ask('1', 'open-choice', { answerValueSet: gender })],
    [give('1', text('x'))],
    [give('1', coding('male'))],
    'error item[0].answer[0]',
  ],
  [
    'a value set that is not known',
    [ask('1', 'choice', { answerValueSet: 'http://example.org/ValueSet/unknown' })],
    [],
    [give('1', coding('a'))],
    'warning item[0].answer[0]',
  ],
]

const extended = (type: string, ...extension: readonly object[]) => [ask('1', type, { extension, repeats: true })]
const kilograms = (value: number, code = 'kg') => ({ valueQuantity: { value, system: ucum, code } })

const limits: readonly Row[] = [
  [
    'maxLength',
    [ask('1', 'string', { maxLength: 2 })],
    [give('1', text('ab'))],
    [give('1', text('abc'))],
    'error item[0].answer[0]',
  ],
  [
    'minLength',
    extended('text', say('minLength', { valueInteger: 2 })),
    [give('1', text('ab'))],
    [give('1', text('a'))],
    'error item[0].answer[0]',
  ],
  [
    'a form',
    extended('string', say('regex', { valueString: '[0-9]{2}|x' })),
    [give('1', text('12'), text('x'))],
    [give('1', text('123'))],
    'error item[0].answer[0]',
  ],
  [
    'a form that is none',
    extended('string', say('regex', { valueString: '[' })),
    [give('1', text('12'))],
    [give('1', { valueInteger: 1 })],
    'error item[0].answer[0]',
  ],
  [
    'minValue',
    extended('integer', say('minValue', { valueInteger: 5 })),
    [give('1', { valueInteger: 5 })],
    [give('1', { valueInteger: 4 })],
    'error item[0].answer[0]',
  ],
  [
    'maxValue',
    extended('date', say('maxValue', { valueDate: '2020-06-01' })),
    [give('1', { valueDate: '2020' })],
    [give('1', { valueDate: '2020-06-02' })],
    'error item[0].answer[0]',
  ],
  [
    'minQuantity',
    extended('quantity', say(`${sdc}minQuantity`, kilograms(5))),
    [give('1', kilograms(5000, 'g'))],
    [give('1', kilograms(4999, 'g'))],
    'error item[0].answer[0]',
  ],
  [
    'maxQuantity of another kind',
    extended('quantity', say(`${sdc}maxQuantity`, kilograms(5))),
    [give('1', kilograms(5))],
    [give('1', kilograms(1, 'm'))],
    'error item[0].answer[0]',
  ],
  [
    'decimal places',
    extended('decimal', say('maxDecimalPlaces', { valueInteger: 1 })),
    [give('1', { valueDecimal: 1.5 })],
    [give('1', { valueDecimal: 1.25 })],
    'error item[0].answer[0]',
  ],
  [
    'the least of answers',
    extended('string', say('questionnaire-minOccurs', { valueInteger: 2 })),
    [give('1', text('a'), text('b'))],
    [give('1', text('a'))],
    'error item[0]',
  ],
  [
    'the least of answers, of none',
    extended('string', say('questionnaire-minOccurs', { valueInteger: 2 })),
    [give('1', text('a'), text('b'))],
    [],
    'error item',
  ],
  [
    'the most of answers',
    extended('string', say('questionnaire-maxOccurs', { valueInteger: 1 })),
    [give('1', text('a'))],
    [give('1', text('a'), text('b'))],
    'error item[0]',
  ],
  [
    'media types',
    extended('attachment', say('mimeType', { valueCode: 'image/gif' })),
    [give('1', { valueAttachment: { contentType: 'image/gif' } })],
    [give('1', { valueAttachment: { contentType: 'image/png' } })],
    'error item[0].answer[0]',
  ],
  [
    'the size of attachments',
    extended('attachment', say('maxSize', { valueDecimal: 0.00001 })),
    [give('1', { valueAttachment: { data: 'AAAA' } })],
    [give('1', { valueAttachment: { data: 'A'.repeat(400) } })],
    'error item[0].answer[0]',
  ],
  [
    'what references lead to',
    extended('reference', say('questionnaire-referenceResource', { valueCode: 'Patient' })),
    [give('1', { valueReference: { reference: 'Patient/1' } })],
    [give('1', { valueReference: { reference: 'Organization/1' } })],
    'error item[0].answer[0]',
  ],
  [
    'units',
    extended('quantity', say('questionnaire-unitOption', { valueCoding: { system: ucum, code: 'kg' } })),
    [give('1', kilograms(1))],
    [give('1', kilograms(1, 'g'))],
    'error item[0].answer[0]',
  ],
  [
    'units of a value set',
    extended(
      'quantity',
      say('questionnaire-unitValueSet', { valueCanonical: 'http://hl7.org/fhir/ValueSet/age-units' }),
    ),
    [give('1', kilograms(1, 'a'))],
    [give('1', kilograms(1, 'kg'))],
    'error item[0].answer[0]',
  ],
  [
    'a rule',
    extended('string', {
      url: `${core}questionnaire-constraint`,
      extension: [
        { url: 'key', valueId: 'k' },
        { url: 'severity', valueCode: 'error' },
        { url: 'human', valueString: 'Two answers.' },
        { url: 'expression', valueString: 'answer.count() = 2' },
      ],
    }),
    [give('1', text('a'), text('b'))],
    [give('1', text('a'))],
    'error item[0]',
  ],
]

const conditional = (conditions: readonly object[], more: object = {}) => [
  ask('1', 'integer', { repeats: true }),
  ask('2', 'string', { enableWhen: conditions, required: true, ...more }),
]
const number = (...values: readonly number[]) => give('1', ...values.map(valueInteger => ({ valueInteger })))
const second = give('2', text('a'))
const disabled = 'error item[1]'

/** https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen */
const conditions: readonly Row[] = [
  [
    'exists',
    conditional([when('1', 'exists', { answerBoolean: true })]),
    [number(1), second],
    [second],
    'error item[0]',
  ],
  [
    'exists, and must not',
    conditional([when('1', 'exists', { answerBoolean: false })]),
    [second],
    [number(1), second],
    disabled,
  ],
  [
    'exists, and its question is required',
    conditional([when('1', 'exists', { answerBoolean: true })]),
    [],
    [number(1)],
    'error item',
  ],
  ['=', conditional([when('1', '=', { answerInteger: 1 })]), [number(2, 1), second], [number(2), second], disabled],
  ['!=', conditional([when('1', '!=', { answerInteger: 1 })]), [number(1, 2), second], [number(1), second], disabled],
  ['>', conditional([when('1', '>', { answerInteger: 1 })]), [number(2), second], [number(1), second], disabled],
  ['<', conditional([when('1', '<', { answerInteger: 1 })]), [number(0), second], [number(1), second], disabled],
  ['>=', conditional([when('1', '>=', { answerInteger: 1 })]), [number(1), second], [number(0), second], disabled],
  ['<=', conditional([when('1', '<=', { answerDecimal: 1 })]), [number(1), second], [number(2), second], disabled],
  [
    'all of them',
    conditional([when('1', '>', { answerInteger: 1 }), when('1', '<', { answerInteger: 3 })], {
      enableBehavior: 'all',
    }),
    [number(2), second],
    [number(1), second],
    disabled,
  ],
  [
    'any of them',
    conditional([when('1', '=', { answerInteger: 1 }), when('1', '=', { answerInteger: 3 })], {
      enableBehavior: 'any',
    }),
    [number(3), second],
    [number(2), second],
    disabled,
  ],
  [
    'a Coding',
    [ask('1', 'choice'), ask('2', 'string', { enableWhen: [when('1', '=', { answerCoding: { system, code: 'a' } })] })],
    [give('1', coding('a')), second],
    [give('1', coding('b')), second],
    disabled,
  ],
  [
    'an answer in the same group, and not in its neighbour',
    [
      ask('g', 'group', {
        repeats: true,
        item: [ask('1', 'integer'), ask('2', 'string', { enableWhen: [when('1', '=', { answerInteger: 1 })] })],
      }),
    ],
    [
      { linkId: 'g', item: [number(1), second] },
      { linkId: 'g', item: [number(2)] },
    ],
    [
      { linkId: 'g', item: [number(1)] },
      { linkId: 'g', item: [number(2), second] },
    ],
    'error item[1].item[1]',
  ],
  [
    'the answer that it stands in',
    [ask('1', 'boolean', { item: [ask('2', 'string', { enableWhen: [when('1', '=', { answerBoolean: true })] })] })],
    [give('1', { valueBoolean: true, item: [second] })],
    [give('1', { valueBoolean: false, item: [second] })],
    'error item[0].answer[0].item[0]',
  ],
  [
    'an expression',
    [
      ask('1', 'integer'),
      ask('2', 'string', {
        extension: [
          say(`${sdc}enableWhenExpression`, {
            valueExpression: { language: 'text/fhirpath', expression: "item.where(linkId='1').answer.value = 1" },
          }),
        ],
      }),
    ],
    [number(1), second],
    [number(2), second],
    disabled,
  ],
  [
    'an expression that cannot be told, beside one that can',
    [
      ask('1', 'integer'),
      ask('2', 'string', {
        extension: [say(`${sdc}enableWhenExpression`, { valueExpression: { language: 'text/cql', expression: 'x' } })],
      }),
    ],
    [second],
    [give('1', text('a')), second],
    'error item[0].answer[0]',
  ],
]

it.each([...types, ...places, ...choices, ...limits, ...conditions].map(row => [row[0], row] as const))(
  'a response is judged by its Questionnaire: %s',
  async (_name, [, asked, right, wrong, ...told]) => {
    expect(await judged(response(right), questionnaire(asked))).toEqual([])
    expect(await judged(response(wrong), questionnaire(asked))).toEqual(told)
  },
)

describe('a response', () => {
  const asked = [ask('1', 'string', { required: true }), ask('2', 'string', { text: 'Two?' })]

  it.each(['in-progress', 'stopped', 'entered-in-error'])(
    'that is %s need not be whole, and has no wrong answers',
    async status => {
      expect(await judged(response([], { status }), questionnaire(asked))).toEqual(['warning item'])
      expect(await judged(response([give('1', { valueInteger: 1 })], { status }), questionnaire(asked))).toEqual([
        'error item[0].answer[0]',
      ])
    },
  )

  it('may show another text than the question', async () => {
    const shown = [give('1', text('a')), { ...second, text: 'Deux ?' }]
    expect(await judged(response(shown), questionnaire(asked))).toEqual(['warning item[1].text'])
  })

  it('is told which question is not answered', async () => {
    const issues = await judgeByProfiles(
      parseResource(printJson(response([]))),
      { asked: [], kept: [{ canonical: url, text: JSON.stringify(questionnaire(asked)) }], extent: 'errors' },
      'owner',
    )
    expect(issues.map(({ text }) => text)).toEqual([`The question has to be answered. [item 1 of ${url}]`])
  })

  it('to what nobody knows is not judged', async () => {
    expect(await judged(response([give('9', text('a'))]))).toEqual(['warning QuestionnaireResponse.questionnaire'])
    expect(await judged(response([], { questionnaire: undefined }))).toEqual([])
  })

  it('is judged by what it contains, with the value sets beside it', async () => {
    const set = {
      resourceType: 'ValueSet',
      id: 'v',
      status: 'active',
      compose: { include: [{ system, concept: [{ code: 'a' }] }] },
    }
    const contained = [{ ...questionnaire([ask('1', 'choice', { answerValueSet: '#v' })]), id: 'q' }, set]
    const sent = (code: string) => response([give('1', coding(code))], { questionnaire: '#q', contained })
    expect([await judged(sent('a')), await judged(sent('b'))]).toEqual([[], ['error item[0].answer[0]']])
    expect(await judged(response([], { questionnaire: '#none' }))).toEqual([
      'error QuestionnaireResponse.questionnaire',
    ])
    const kept = { ...questionnaire([ask('1', 'choice', { answerValueSet: '#v' })]), contained: [set] }
    expect(await judged(response([give('1', coding('b'))]), kept)).toEqual(['error item[0].answer[0]'])
  })

  it('in a Bundle is judged by the Questionnaire beside it', async () => {
    const entry = [questionnaire(asked), response([])].map((resource, at) => ({
      fullUrl: `urn:uuid:00000000-0000-4000-8000-00000000000${at}`,
      resource,
    }))
    expect(await judged({ resourceType: 'Bundle', type: 'collection', entry })).toEqual([
      'error Bundle.entry[1].resource.ofType(QuestionnaireResponse).item',
    ])
  })
})

describe('a Questionnaire that is written to cost', () => {
  it('is left where it does not end', async () => {
    const endless = questionnaire(extended('string', say('regex', { valueString: '(a+)+b' })))
    const answer = judged(response([give('1', text('a'.repeat(5_000)))]), endless)
    expect(await answer.catch(error => isProblem(error, 'too-costly'))).toBe(true)
  })

  it('may be deep and wide, and of any shape', async () => {
    const wide = Array.from({ length: 3_000 }, (_, at) =>
      ask(`w${at}`, 'string', { enableWhen: [when('w0', 'exists', { answerBoolean: true })] }),
    )
    expect(await judged(response([]), questionnaire(wide))).toEqual([])
    const odd = [
      null,
      'x',
      5,
      [],
      [null],
      {},
      { linkId: 5, type: {}, item: 'x', enableWhen: [null, {}], extension: [null, {}] },
    ]
    for (const item of odd) {
      const sent = response([give('1', text('a'))])
      const told = await judged(sent, questionnaire([item as object]))
      expect([JSON.stringify(item), told]).toEqual([JSON.stringify(item), ['error item[0].linkId']])
    }
  })
})
