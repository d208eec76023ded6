version: 2

seeds:
  - name: raw_customers
    description: One row per customer, as the shop brings it.
    config:
      meta:
        key: [customer_id]
    columns:
      - name: customer_id
        description: The shop's identifier of the customer.
        data_type: string
        config: {meta: {required: true}}
      - name: email
        description: E-mail address of the customer; personal data, which ends in staging.
        data_type: string
        config: {meta: {personal: true}}
      - name: created_at
        description: When the customer's account was created; UTC where no offset is given.
        data_type: timestamp
      - name: birth_date
        description: Date of birth of the customer; personal data, which ends in staging.
        data_type: date
        config: {meta: {personal: true, earliest: "1900-01-01"}}
      - name: gender
        description: Gender of the customer as the shop records it; NULL means unknown.
        data_type: string
      - name: country
        description: Country where the customer lives; NULL means unknown.
        data_type: string
      - name: region
        description: Region of that country where the customer lives; NULL means unknown.
        data_type: string
      - name: city
        description: City where the customer lives; NULL means unknown.
        data_type: string
      - name: postcode
        description: Postcode where the customer lives, as text; personal data, which ends in staging.
        data_type: string
        config: {meta: {personal: true}}
      - name: language
        description: Language the customer is addressed in; NULL means unknown.
        data_type: string
      - name: marketing_opt_in
        description: Whether the customer consented to marketing messages; NULL means unknown.
        data_type: boolean
      - name: signup_source
        description: Where the customer signed up, as the shop names it; NULL means unknown.
        data_type: string
      - name: referred_by_customer_id
        description: The customer who referred this one; NULL means that no referrer is known.
        data_type: string
